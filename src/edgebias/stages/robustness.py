"""Ask one cell in every format."""

from __future__ import annotations

from edgebias.stages.options import AnyWeights, Items, Settings, WrittenCost, WrittenResponses


def run(
    settings: Settings,
    items: Items,
    responses: WrittenResponses,
    cost: WrittenCost,
    weights: AnyWeights = None,
) -> None:
    r"""Ask the same items in every order of options, wording of "unknown" and template.

    Settings: ``seed``, ``infer``, ``robustness``, ``models.NAME``, ``environments.NAME``.

    Raises:
        InputError: settings, items or weights are unfit, or the backend has no log-probabilities.

    Example:
        edgebias robustness --items data/items/edge/bbq.parquet \
          --weights data/models/smollm2-135m-instruct/full.gguf \
          --settings '{"seed": 1, "infer": {"formats": {}, "max_new_tokens": 8},
                       "robustness": {"suite": "bbq", "clusters_per_category": 1,
                                      "templates": ["letter_chat_v1", "letter_plain_v1"],
                                      "unknown_wordings": ["Unknown", "Not enough information"]},
                       "models.smollm2-135m-instruct": {"start_token": "<|endoftext|>"},
                       "environments.edge": {"backend": "llama", "threads": 1, "memory_mb": 4096, "context": 2560}}' \
          --responses results/edge/robustness/edge/smollm2-135m-instruct/full.parquet \
          --cost results/edge/cost/edge/smollm2-135m-instruct/full/robustness.json
    """
    from edgebias.core.files import read_table, write_json
    from edgebias.core.progress import watched
    from edgebias.core.settings import parse_settings, value_of
    from edgebias.infer.cell import read_cell
    from edgebias.infer.job import open_job
    from edgebias.infer.responses import response_table
    from edgebias.infer.robustness.ask import FORMAT, ROBUSTNESS, ask
    from edgebias.infer.robustness.design import COLUMNS, choose_items, cross
    from edgebias.infer.settings import RobustnessSettings
    from edgebias.suites.item import ASKED

    sections = parse_settings(settings)
    cell = read_cell(sections)
    wanted = value_of(sections, "robustness", RobustnessSettings)
    table = read_table(items, tuple(dict.fromkeys((*ASKED, *COLUMNS))))
    design = cross(choose_items(table, wanted, items), wanted)
    with open_job(__name__, sections, cell, [items], weights, [responses, cost]) as job:
        with job.model() as backend:
            with job.stopwatch.timing(FORMAT, len(design)):
                answers = ask(backend, design, cell.answer.seed)
                rows = list(watched(answers, FORMAT, len(design), job.stopwatch.clock))
            spent = job.cost(backend, skipped={})
        ROBUSTNESS.write(response_table(rows, ROBUSTNESS), responses)
        write_json(spent, cost)

"""Command line of the robustness stage: one cell in every format."""

from __future__ import annotations

from collections.abc import Sequence

from edgebias.core.errors import run_stage
from edgebias.stages.command_line import model_parser

EXAMPLE = """example:
  python -m edgebias.stages.robustness --items data/prompts/bbq.parquet \\
    --weights data/models/smollm2-135m-instruct/full.gguf \\
    --settings '{"seed": 1, "infer": {"formats": {}, "max_new_tokens": 8},
                 "robustness": {"suite": "bbq", "clusters_per_category": 1,
                                "templates": ["letter_chat_v1", "letter_plain_v1"],
                                "unknown_wordings": ["Unknown", "Not enough information"]},
                 "models.smollm2-135m-instruct": {"start_token": "<|endoftext|>"},
                 "environments.edge": {"backend": "llama", "threads": 1, "memory_mb": 4096, "context": 2560}}' \\
    --responses results/robustness/edge/smollm2-135m-instruct/full.parquet \\
    --cost results/cost/edge/smollm2-135m-instruct/full/robustness.json
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Ask one model in one environment the same items in every order, wording and template.

    Raises:
        InputError: settings, items or weights are unfit, or the backend has no log-probabilities.
    """
    options = model_parser(
        "robustness", "Ask the same items in every order of options, wording of unknown and template.", EXAMPLE
    ).parse_args(argv)

    from edgebias.core.files import read_table, write_json
    from edgebias.core.progress import watched
    from edgebias.core.settings import parse_settings
    from edgebias.infer.cell import read_cell
    from edgebias.infer.items import COLUMNS as ITEM_COLUMNS
    from edgebias.infer.job import open_job
    from edgebias.infer.responses import response_table
    from edgebias.infer.robustness.ask import FORMAT, ROBUSTNESS, ask
    from edgebias.infer.robustness.design import COLUMNS, choose_items, cross
    from edgebias.infer.robustness.settings import read_robustness_settings

    settings = parse_settings(options.settings)
    cell = read_cell(settings)
    wanted = read_robustness_settings(settings)
    table = read_table(options.items, tuple(dict.fromkeys((*ITEM_COLUMNS, *COLUMNS))))
    design = cross(choose_items(table, wanted, options.items), wanted)
    job_of = open_job(
        "edgebias.stages.robustness",
        settings,
        cell,
        files=[options.items],
        weights=options.weights,
        outputs=[options.responses, options.cost],
    )
    with job_of as job:
        with job.model() as backend:
            with job.stopwatch.timing(FORMAT, len(design)):
                answers = ask(backend, design, cell.answer.seed)
                rows = list(watched(answers, FORMAT, len(design), job.stopwatch.clock))
            cost = job.cost(backend, skipped={})
        ROBUSTNESS.write(response_table(rows, ROBUSTNESS), options.responses)
        write_json(cost, options.cost)


if __name__ == "__main__":
    run_stage(main)

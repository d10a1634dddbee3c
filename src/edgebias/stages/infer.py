"""Ask one cell one suite."""

from __future__ import annotations

import sys

from edgebias.stages.options import AnyWeights, Items, Settings, Suite, WrittenCost, WrittenResponses


def run(
    settings: Settings,
    suite: Suite,
    items: Items,
    responses: WrittenResponses,
    cost: WrittenCost,
    weights: AnyWeights = None,
) -> None:
    r"""Ask one model in one environment the items of one suite; one response a row.

    Settings: ``seed``, ``infer``, ``models.NAME``, ``environments.NAME``. An interrupted job goes on from the journal
    beside its response table.

    Raises:
        InputError: settings, items or weights are unfit.

    Example:
        edgebias infer --suite bbq --items data/items/edge/bbq.parquet \
          --weights data/models/smollm2-135m-instruct/full.gguf \
          --settings '{"seed": 1, "infer": {"formats": {"bbq": ["likelihood", "letter"]}, "max_new_tokens": 8},
                       "models.smollm2-135m-instruct": {"start_token": "<|endoftext|>"},
                       "environments.edge": {"backend": "llama", "threads": 1, "memory_mb": 4096, "context": 2560}}' \
          --responses results/edge/responses/edge/smollm2-135m-instruct/full/bbq.parquet \
          --cost results/edge/cost/edge/smollm2-135m-instruct/full/bbq.json
    """
    from edgebias.core.files import write_json
    from edgebias.core.settings import parse_settings
    from edgebias.infer.alone import speed_alone
    from edgebias.infer.answer import answer_items, possible_formats
    from edgebias.infer.cell import formats_of, read_cell
    from edgebias.infer.job import open_job
    from edgebias.infer.responses import write_responses
    from edgebias.suites.item import read_items

    sections = parse_settings(settings)
    cell = read_cell(sections)
    formats = formats_of(suite, cell.formats, cell.model)
    asked = read_items(items, suite)
    with open_job(__name__, sections, cell, [items], weights, [responses, cost], more=[suite]) as job:
        with job.model() as backend:
            possible, skipped = possible_formats(backend, formats)
            for name, reason in skipped.items():
                print(f"{suite}: {name} is skipped: {reason}", file=sys.stderr)
            answers = answer_items(backend, asked, formats, cell.answer, stopwatch=job.stopwatch)
            spent = job.cost(backend, skipped)
            spent["alone"] = speed_alone(backend, asked, possible, cell.environment)
        write_responses(answers, responses)
        write_json(spent, cost)

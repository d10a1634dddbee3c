"""Command line of the infer stage: one cell and one suite."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from edgebias.core.errors import run_stage
from edgebias.stages.command_line import model_parser

EXAMPLE = """example:
  python -m edgebias.stages.infer --suite bbq --items data/prompts/bbq.parquet \\
    --weights data/models/smollm2-135m-instruct/full.gguf \\
    --settings '{"seed": 1, "infer": {"formats": {"bbq": ["likelihood", "letter"]}, "max_new_tokens": 8},
                 "models.smollm2-135m-instruct": {"start_token": "<|endoftext|>"},
                 "environments.edge": {"backend": "llama", "threads": 1, "memory_mb": 4096, "context": 2560}}' \\
    --responses results/responses/edge/smollm2-135m-instruct/full/bbq.parquet \\
    --cost results/cost/edge/smollm2-135m-instruct/full/bbq.json
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Ask one model in one environment the items of one suite.

    Raises:
        InputError: settings, items or weights are unfit.
    """
    parser = model_parser(
        "infer", "Ask one model in one environment the items of one suite; one response a row.", EXAMPLE
    )
    parser.add_argument("--suite", required=True, help="name of the suite, a key of infer.formats")
    options = parser.parse_args(argv)

    from edgebias.core.files import write_json
    from edgebias.core.settings import parse_settings
    from edgebias.infer.alone import speed_alone
    from edgebias.infer.answer import answer_items, possible_formats
    from edgebias.infer.cell import formats_of, read_cell
    from edgebias.infer.items import read_items
    from edgebias.infer.job import open_job
    from edgebias.infer.responses import write_responses

    settings = parse_settings(options.settings)
    cell = read_cell(settings)
    formats = formats_of(cell, options.suite)
    items = read_items(options.items, options.suite)
    job_of = open_job(
        "edgebias.stages.infer",
        settings,
        cell,
        files=[options.items],
        weights=options.weights,
        outputs=[options.responses, options.cost],
        more=[options.suite],
    )
    with job_of as job:
        with job.model() as backend:
            possible, skipped = possible_formats(backend, formats)
            for name, reason in skipped.items():
                print(f"{options.suite}: {name} is skipped: {reason}", file=sys.stderr)
            responses = answer_items(backend, items, formats, cell.answer, stopwatch=job.stopwatch)
            cost = job.cost(backend, skipped)
            cost["alone"] = speed_alone(backend, items, possible, cell.environment)
        write_responses(responses, options.responses)
        write_json(cost, options.cost)


if __name__ == "__main__":
    run_stage(main)

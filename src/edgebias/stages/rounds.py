"""Command line of the rounds stage: the over-time question in one cell."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from edgebias.core.errors import InputError, run_stage
from edgebias.stages.command_line import model_parser

CONDITION = "binary"
"""The condition whose items are asked in rounds: a forced choice between two people."""

EXAMPLE = """example:
  python -m edgebias.stages.rounds --items data/prompts/forced_choice.parquet \\
    --weights data/models/smollm2-135m-instruct/full.gguf \\
    --settings '{"seed": 1, "infer": {"formats": {}, "max_new_tokens": 8},
                 "rounds": {"independent": 1500, "conversation": 32, "conversations": 3, "window": 32,
                            "temperature": 1.0},
                 "models.smollm2-135m-instruct": {"start_token": "<|endoftext|>"},
                 "environments.edge": {"backend": "llama", "threads": 1, "memory_mb": 4096, "context": 2560}}' \\
    --responses results/rounds/edge/smollm2-135m-instruct/full.parquet \\
    --cost results/cost/edge/smollm2-135m-instruct/full/rounds.json
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Ask one model in one environment in repeated rounds, independent ones and conversations.

    Independent rounds need the log-probabilities of the letters; a backend that has none answers conversations only,
    and the cost file says so. A row of log-probabilities stands for all replies that real sampling would need.

    Raises:
        InputError: settings, items or weights are unfit.
    """
    options = model_parser(
        "rounds", "Ask one model in one environment again and again; one round a row.", EXAMPLE
    ).parse_args(argv)

    from edgebias.core.files import write_json
    from edgebias.core.settings import parse_settings
    from edgebias.infer.cell import read_cell
    from edgebias.infer.items import read_items
    from edgebias.infer.job import open_job
    from edgebias.infer.responses import ROUND, response_table, write_responses
    from edgebias.infer.rounds import conversation, independent
    from edgebias.infer.rounds.settings import read_round_settings

    settings = parse_settings(options.settings)
    cell = read_cell(settings)
    rounds = read_round_settings(settings)
    items = sorted((item for item in read_items(options.items) if item.condition == CONDITION), key=lambda i: i.item_id)
    if not items:
        raise InputError(f"{options.items}: no item has the condition {CONDITION!r}; rounds ask forced choices of two")
    plan = conversation.ConversationPlan(
        conversations=rounds.conversations,
        rounds=rounds.conversation,
        window=rounds.window,
        temperature=rounds.temperature,
        max_new_tokens=cell.answer.max_new_tokens,
        seed=cell.answer.seed,
    )
    skipped: dict[str, str] = {}
    drawn: list[dict[str, object]] = []
    letter_mass = None
    job_of = open_job(
        "edgebias.stages.rounds",
        settings,
        cell,
        files=[options.items],
        weights=options.weights,
        outputs=[options.responses, options.cost],
    )
    with job_of as job:
        with job.model() as backend:
            if backend.scores_options:
                drawn, letter_mass = independent.independent_rounds(
                    backend, items, rounds.independent, rounds.temperature, cell.answer.seed, job.stopwatch
                )
            else:
                skipped[independent.MODE] = f"backend {backend.name!r} gives no log-probabilities to draw from"
                print(f"rounds: {independent.MODE} is skipped: {skipped[independent.MODE]}", file=sys.stderr)
            held, dropped = conversation.conversation_rounds(backend, items, plan, job.stopwatch, job.journal)
            cost = job.cost(backend, skipped)
        cost |= {"letter_mass": letter_mass, "exchanges_dropped_for_context": dropped}
        write_responses(response_table([*drawn, *held], ROUND), options.responses)
        write_json(cost, options.cost)


if __name__ == "__main__":
    run_stage(main)

"""Ask one cell in repeated rounds: the over-time question."""

from __future__ import annotations

import sys

from edgebias.stages.options import AnyWeights, Items, Settings, WrittenCost, WrittenResponses

CONDITION = "binary"
"""The condition whose items are asked in rounds: a forced choice between two people."""


def run(
    settings: Settings,
    items: Items,
    responses: WrittenResponses,
    cost: WrittenCost,
    weights: AnyWeights = None,
) -> None:
    r"""Ask one model in one environment again and again; one round a row.

    Independent rounds need the log-probabilities of the letters. A backend that has none answers conversations only,
    and the cost file says so. A row of log-probabilities stands for all replies that real sampling would need.
    Settings: ``seed``, ``infer``, ``rounds``, ``models.NAME``, ``environments.NAME``.

    Raises:
        InputError: settings, items or weights are unfit.

    Example:
        edgebias rounds --items data/items/edge/forced_choice.parquet \
          --weights data/models/smollm2-135m-instruct/full.gguf \
          --settings '{"seed": 1, "infer": {"formats": {}, "max_new_tokens": 8},
                       "rounds": {"independent": 1500, "conversation": 32, "conversations": 3, "window": 32,
                                  "temperature": 1.0},
                       "models.smollm2-135m-instruct": {"start_token": "<|endoftext|>"},
                       "environments.edge": {"backend": "llama", "threads": 1, "memory_mb": 4096, "context": 2560}}' \
          --responses results/edge/rounds/edge/smollm2-135m-instruct/full.parquet \
          --cost results/edge/cost/edge/smollm2-135m-instruct/full/rounds.json
    """
    from edgebias.core.errors import InputError
    from edgebias.core.files import write_json
    from edgebias.core.settings import parse_settings, value_of
    from edgebias.infer.cell import read_cell
    from edgebias.infer.job import open_job
    from edgebias.infer.responses import ROUND, response_table, write_responses
    from edgebias.infer.rounds import conversation, independent
    from edgebias.infer.settings import RoundSettings
    from edgebias.suites.item import read_items

    sections = parse_settings(settings)
    cell = read_cell(sections)
    wanted = value_of(sections, "rounds", RoundSettings)
    asked = sorted((item for item in read_items(items) if item.condition == CONDITION), key=lambda item: item.item_id)
    if not asked:
        raise InputError(f"{items}: no item has the condition {CONDITION!r}; rounds ask forced choices of two")
    plan = conversation.ConversationPlan(
        conversations=wanted.conversations,
        rounds=wanted.conversation,
        window=wanted.window,
        temperature=wanted.temperature,
        max_new_tokens=cell.answer.max_new_tokens,
        seed=cell.answer.seed,
    )
    skipped: dict[str, str] = {}
    drawn: list[dict[str, object]] = []
    letter_mass = None
    with open_job(__name__, sections, cell, [items], weights, [responses, cost]) as job:
        with job.model() as backend:
            if backend.scores_options:
                drawn, letter_mass = independent.independent_rounds(
                    backend, asked, wanted.independent, wanted.temperature, cell.answer.seed, job.stopwatch
                )
            else:
                skipped[independent.MODE] = f"backend {backend.name!r} gives no log-probabilities to draw from"
                print(f"rounds: {independent.MODE} is skipped: {skipped[independent.MODE]}", file=sys.stderr)
            held, dropped = conversation.conversation_rounds(backend, asked, plan, job.stopwatch, job.journal)
            spent = job.cost(backend, skipped)
        spent |= {"letter_mass": letter_mass, "exchanges_dropped_for_context": dropped}
        write_responses(response_table([*drawn, *held], ROUND), responses)
        write_json(spent, cost)

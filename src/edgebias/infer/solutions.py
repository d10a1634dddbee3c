"""Solutions: texts that are read when all are there, by the suite that set the problems."""

from __future__ import annotations

from collections.abc import Sequence

from edgebias.core.errors import InputError
from edgebias.core.service_refusal import SERVICE_REFUSAL
from edgebias.infer.outcome.abstention import refuses
from edgebias.infer.outcome.reading import BLANK, NOTHING, REFUSAL, UNPARSED, Reading
from edgebias.infer.outcome.shapes import plain_text, says
from edgebias.infer.outcome.thinking import without_thinking
from edgebias.metrics.answers import OPTION
from edgebias.suites.item import Item
from edgebias.suites.registry import SUITES

NOT_READ = NOTHING
"""The reading of a solution while others are still written."""


def check_programs(items: Sequence[Item], *, allowed: bool) -> None:
    """Check that suites that run what a model writes may do so, and can.

    Raises:
        InputError: they may not, or this machine lacks what keeps a program in.
    """
    for suite in (SUITES.get(name) for name in sorted({item.suite for item in items})):
        if not suite.runs_programs:
            continue
        if not allowed:
            raise InputError(
                f"infer.run_programs: suite {suite.name!r} runs programs that the model writes, in a sandbox; say true "
                "where you want that, or leave the suite out"
            )
        suite.prepare_to_run()


def read_solutions(items: Sequence[Item], rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Return the rows with the choice and the outcome of each solution.

    Blocks of thinking are no part of a solution. One that comes to an option has its place as ``choice``, one that
    comes to another answer -1; the outcome of both is ``option``. Else it is ``blank``, a ``refusal`` or ``unparsed``.

    Args:
        items: of each row.
        rows: responses with their texts.

    Raises:
        InputError: what the suite needs to read them is not here.
    """
    texts = [str(row["text"]) for row in rows]
    found: list[int | None] = [None] * len(rows)
    for name in sorted({item.suite for item in items}):
        places = [place for place, item in enumerate(items) if item.suite == name]
        solutions = [without_thinking(texts[place])[0] for place in places]
        came_to = SUITES.get(name).come_to([items[place] for place in places], solutions)
        for place, one in zip(places, came_to, strict=True):
            found[place] = one
    readings = map(_reading, texts, found)
    return [
        row | {"choice": reading.choice, "outcome": reading.outcome}
        for row, reading in zip(rows, readings, strict=True)
    ]


def _reading(text: str, came_to: int | None) -> Reading:
    if text.startswith(SERVICE_REFUSAL):
        return Reading(-1, REFUSAL)
    if came_to is not None:
        return Reading(came_to, OPTION)
    outside, cut = without_thinking(text)
    plain = plain_text(outside)
    if not says(plain):
        return NOTHING if cut else Reading(-1, BLANK)
    return Reading(-1, REFUSAL if refuses(plain) else UNPARSED)

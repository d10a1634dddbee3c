"""What a mitigation does to the dependence on who asks, on held-out questions and identities."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgebias.report.findings import ALPHA
from edgebias.report.numbers import estimate, number, p_number, p_value
from edgebias.report.sections.personalisation_rows import Row, asked, build_of, place_of, rank, sized
from edgebias.report.table import Table, value_of
from edgebias.score.personalisation.mitigations import PROMPT, TRAINING
from edgebias.score.personalisation.table import JOINT
from edgebias.suites.identities import DEFENCES, PLACEBO, SUITE_OF
from edgebias.suites.item import SPLITS

HELD_OUT = SPLITS[1]


NOUNS = {PROMPT: ("defence", "defences in the prompt"), TRAINING: ("tuned build", "tuned builds")}
"""One mitigation of a kind, and several."""


def mitigation_sentence(rows: Sequence[Row]) -> str:
    """Return what the chosen mitigations do on held-out questions and identities; empty without one."""
    parts = []
    for place, kind in dict.fromkeys((place_of(row), str(row["kind"])) for row in rows):
        held = {
            (str(row["axis"]), str(row["mitigation"])): row
            for row in rows
            if (place_of(row), row["kind"], row["part"]) == (place, kind, HELD_OUT)
        }
        axis = JOINT if any(key[0] == JOINT for key in held) else next(iter(held))[0]
        chosen = next((name for (of, name), row in held.items() if of == axis and int(row["chosen"])), None)
        if chosen is None:
            continue
        main, noun = held[axis, chosen], NOUNS[kind][0]
        if not math.isfinite(value_of(main["p_corrected"])):
            parts.append(f"{' '.join(place[1:3])}: too little was answered to judge a {noun}.")
            continue
        among = len({name for of, name in held if of == axis} - {PLACEBO})
        parts.append(
            f"{' '.join(place[1:3])}: calibration chose the {noun} {chosen} among {among}. "
            f"On held-out questions and identities it changes the excess by {_change(main)} points, "
            f"{p_value(value_of(main['p_corrected']))}; {_judged(main)}."
        )
        parts += [
            f"It moves {of} by {_moved(row)} points." for of in SUITE_OF if (row := held.get((of, chosen))) is not None
        ]
        if (placebo := held.get((axis, PLACEBO))) is not None:
            parts.append(f"A sentence about something else changes the excess by {_change(placebo)} points.")
    return " ".join(parts)


def helps(row: Row) -> bool:
    """Return whether a mitigation takes away excess beyond doubt."""
    return value_of(row["p_corrected"]) < ALPHA and value_of(row["high"]) < 0


def _judged(row: Row) -> str:
    if helps(row):
        return "it helps"
    if value_of(row["p_corrected"]) < ALPHA and value_of(row["low"]) > 0:
        return "it makes matters worse"
    return "no effect is detectable"


def mitigation_tables(rows: Sequence[Row]) -> tuple[Table, ...]:
    """Return one table of all mitigations; none where none was asked."""
    if not rows:
        return ()
    heads = ("Build", "Asked", "Part", "Axis", "Mitigation", "Excess [low, high]", "without it", "change [low, high]")
    order = {one.name: number_of for number_of, one in enumerate(DEFENCES)}
    axes = (JOINT, *SUITE_OF)
    listed = sorted(
        rows,
        key=lambda row: (
            rank(place_of(row)),
            -SPLITS.index(str(row["part"])),
            axes.index(str(row["axis"])),
            order.get(str(row["mitigation"]), len(order)),
            str(row["mitigation"]),
        ),
    )
    return (
        Table(
            f"{_kinds(rows)}; a star marks what calibration chose, by nothing that is held out",
            (*heads, "corrected p", "score (%)", "change of score [low, high]", "Identities", "Questions"),
            tuple(
                (
                    build_of(place_of(row)),
                    asked(place_of(row)),
                    str(row["part"]).replace("_", "-"),
                    "both together" if row["axis"] == JOINT else str(row["axis"]),
                    str(row["mitigation"]) + (" *" if int(row["chosen"]) else ""),
                    estimate(value_of(row["excess"]), value_of(row["excess_low"]), value_of(row["excess_high"])),
                    number(value_of(row["excess_without"])),
                    _change(row),
                    p_number(value_of(row["p_corrected"])),
                    number(value_of(row["score"])),
                    _moved(row),
                    number(int(row["n_identities"])),
                    number(int(row["n_questions"])),
                )
                for row in listed
            ),
            frozenset({6, 8, 9, 11, 12}),
            unbroken=frozenset({5, 7, 10}),
        ),
    )


def _kinds(rows: Sequence[Row]) -> str:
    kinds = {str(row["kind"]) for row in rows}
    return " and ".join(several for kind, (_, several) in NOUNS.items() if kind in kinds).capitalize()


def _change(row: Row) -> str:
    return sized(row, "change")


def _moved(row: Row) -> str:
    return sized(row, "score_change", "score_low", "score_high")

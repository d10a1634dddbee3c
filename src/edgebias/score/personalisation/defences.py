"""What a defence in the prompt does to PB and to both scores, on questions and identities that it was not chosen by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from edgebias.core.arrays import StrArray
from edgebias.core.cell import Cell
from edgebias.core.seeds import generator
from edgebias.core.table import Column, Table, ascending, at_least, between, one_of
from edgebias.score.contrasts.pairs import Joined
from edgebias.score.personalisation.answers import Asked, Place, asked_of
from edgebias.score.personalisation.differences import mean_of, paired
from edgebias.score.personalisation.statistic import change_of_excess, personalisation_bias
from edgebias.score.personalisation.table import AXES, CELL_COLUMNS, JOINT, parts_of
from edgebias.stats.bootstrap import Resampling
from edgebias.stats.contrasts import corrected
from edgebias.suites.formats import FORMATS
from edgebias.suites.identities import DEFENCES, HELD_OUT, IDENTITIES, PLACEBO, UNDEFENDED
from edgebias.suites.item import SPLITS

CALIBRATION, HELD = SPLITS
IDENTITIES_OF = {CALIBRATION: [one.name for one in IDENTITIES if one.name not in HELD_OUT], HELD: list(HELD_OUT)}
"""The identities of each part; the parts share neither an identity nor a question."""

DEFENCE_SCORE = Table(
    name="personalisation by defence",
    meaning="PB and the score under one defence in the prompt beside those without it, in one part of the study.",
    path="results/{study}/compare/personalisation_defences.csv",
    columns=(
        *CELL_COLUMNS,
        Column("axis", "str", "`safety`, `utility`, or `joint`: both", rule=one_of(AXES)),
        Column("format", "str", "of the responses", rule=one_of(FORMATS)),
        Column(
            "part",
            "str",
            "`calibration`, by which a defence is chosen, or `held_out`: other questions and other identities",
            rule=one_of(SPLITS),
        ),
        Column("defence", "str", "what is added to the prompt", rule=one_of([one.name for one in DEFENCES])),
        Column(
            "chosen",
            "int",
            "1: it has the smallest excess on the calibration part, the placebo aside; else 0",
            rule=between(0, 1),
        ),
        Column("excess", "float", "of PB over its floor under the defence, in points", undefined=True),
        Column("excess_low", "float", "lower end of its interval over questions", undefined=True),
        Column("excess_high", "float", "upper end", undefined=True),
        Column("excess_without", "float", "the excess without a defence", undefined=True),
        Column("change", "float", "`excess` less `excess_without`: below 0 where the defence helps", undefined=True),
        Column("low", "float", "lower end of its interval (paired, over questions)", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column("p", "float", "of no change, by swaps within questions", rule=between(0, 1), undefined=True),
        Column(
            "p_corrected",
            "float",
            "`p` corrected (`compare.correction`) over the defences of one cell, placement, axis, format and part",
            rule=between(0, 1),
            undefined=True,
        ),
        Column(
            "score",
            "float",
            "mean over identities under the defence; none where both axes are taken together",
            rule=between(0, 100),
            undefined=True,
        ),
        Column("score_change", "float", "less the score without it, in points", undefined=True),
        Column("score_low", "float", "lower end of its interval (paired, over questions)", undefined=True),
        Column("score_high", "float", "upper end", undefined=True),
        Column("n_identities", "int", "identities compared", rule=at_least(0)),
        Column("n_questions", "int", "questions that everybody answered with and without", rule=at_least(0)),
        Column("reason", "str", "why a value is NaN; empty where there is nothing to say"),
    ),
    order=("environment", "model", "variant", "placement", "format", "axis", "part", "defence"),
    relations=(
        ascending("low", "high"),
        ascending("excess_low", "excess_high"),
        ascending("score_low", "score_high"),
        ascending("p", "p_corrected"),
    ),
)


def defence_table(
    cells: Sequence[Cell], joined: Joined, splits: Mapping[str, str], how: Resampling, correction: str
) -> pd.DataFrame:
    """Return the rows of `DEFENCE_SCORE`; none where no defence was asked beside prompts without one.

    Args:
        cells: those of the study.
        joined: gives the joined responses of a cell to a suite.
        splits: the split of each question.
        how: seed, samples and confidence.
        correction: of p-values, a method of statsmodels.
    """
    rows: list[dict[str, Any]] = []
    for cell in cells:
        found = asked_of(cell, joined)
        for plain in [place for place in found if place.defence == UNDEFENDED]:
            under = {
                one.name: found[place]
                for one in DEFENCES
                if (place := plain._replace(defence=one.name)) in found and found[place].keys() == found[plain].keys()
            }
            key = {**vars(cell), "placement": plain.placement, "format": plain.form}
            if under:
                rows += [{**key, **row} for row in _of_place(plain, found[plain], under, splits, how, correction)]
    return pd.DataFrame(rows, columns=list(DEFENCE_SCORE.names))


def _of_place(
    place: Place,
    without: Mapping[str, Asked],
    under: Mapping[str, Mapping[str, Asked]],
    splits: Mapping[str, str],
    how: Resampling,
    correction: str,
) -> list[dict[str, Any]]:
    rows = []
    for axis in AXES:
        plain = parts_of(axis, without)
        if not plain:
            continue
        defended = {name: parts_of(axis, by_axis) for name, by_axis in under.items()}
        common = [
            _common([one.questions, *(parts[place].questions for parts in defended.values())])
            for place, one in enumerate(plain)
        ]
        of_axis = []
        for part in SPLITS:
            questions = [[name for name in names if splits[name] == part] for names in common]
            before = [one.on(names) for one, names in zip(plain, questions, strict=True)]
            family = []
            for name, parts in defended.items():
                after = [one.on(names) for one, names in zip(parts, questions, strict=True)]
                change = _change(axis, place, part, before, after, how)
                family.append({"axis": axis, "part": part, "defence": name, **change})
            p_values = corrected([row["p"] for row in family], correction)
            of_axis += [{**row, "p_corrected": p} for row, p in zip(family, p_values, strict=True)]
        chosen = _chosen(of_axis)
        rows += [{**row, "chosen": int(row["defence"] == chosen)} for row in of_axis]
    return rows


def _common(names: Sequence[StrArray]) -> list[str]:
    shared = set(names[0].tolist()).intersection(*(other.tolist() for other in names[1:]))
    return [name for name in names[0].tolist() if name in shared]


def _chosen(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the defence with the smallest excess on the calibration part; the first of equal ones."""
    known = [
        row
        for row in rows
        if row["part"] == CALIBRATION and row["defence"] != PLACEBO and row["excess"] == row["excess"]
    ]
    return str(min(known, key=lambda row: row["excess"])["defence"]) if known else ""


def _change(
    axis: str, place: Place, part: str, before: Sequence[Asked], after: Sequence[Asked], how: Resampling
) -> dict[str, Any]:
    names = [name for name in IDENTITIES_OF[part] if all(name in one.answers for one in (*before, *after))]
    sides = [[one.scores(names) for one in side] for side in (before, after)]

    def rng(what: str) -> Any:
        return generator(how.seed, "personalisation defence", what, axis, place.placement, place.form, part)

    sampling: dict[str, Any] = {"resamples": how.resamples, "confidence": how.confidence}
    plain, defended = (personalisation_bias(side, rng=rng("bias"), shuffles=1, **sampling) for side in sides)
    change = change_of_excess(*sides, rng=rng("change"), **sampling)
    row = {
        "excess": defended.excess,
        "excess_low": defended.low,
        "excess_high": defended.high,
        "excess_without": plain.excess,
        "change": change.difference,
        "low": change.low,
        "high": change.high,
        "p": change.p,
        "n_identities": len(names),
        "n_questions": sum(len(one.questions) for one in before),
        "reason": "" if change.p == change.p else "too few questions or identities for a change",
    }
    if axis == JOINT or not names or not len(before[0].questions):
        return row
    score = paired(mean_of(after[0].answers, names), mean_of(before[0].answers, names), before[0].questions, how)
    return row | {
        "score": score.estimate_a,
        "score_change": score.difference,
        "score_low": score.low,
        "score_high": score.high,
    }

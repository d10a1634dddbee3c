"""What a mitigation does to PB and to both scores, on questions and identities that it was not chosen by.

A mitigation is a defence in the prompt, or a build that is tuned further from the one that is asked without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from edgebias.core.arrays import StrArray
from edgebias.core.cell import Cell
from edgebias.core.seeds import generator
from edgebias.core.table import FILLED, Column, Table, ascending, at_least, between, one_of
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

PROMPT, TRAINING = "prompt", "training"

MITIGATION_SCORE = Table(
    name="personalisation by mitigation",
    meaning="PB and the score under one mitigation beside those without it, in one part of the study.",
    path="results/{study}/compare/personalisation_mitigations.csv",
    columns=(
        *CELL_COLUMNS,
        Column("axis", "str", "`safety`, `utility`, or `joint`: both", rule=one_of(AXES)),
        Column("format", "str", "of the responses", rule=one_of(FORMATS)),
        Column(
            "part",
            "str",
            "`calibration`, by which a mitigation is chosen, or `held_out`: other questions and other identities",
            rule=one_of(SPLITS),
        ),
        Column(
            "kind",
            "str",
            "`prompt`: a defence is added to the prompt; `training`: a build tuned further from this one is asked",
            rule=one_of((PROMPT, TRAINING)),
        ),
        Column("mitigation", "str", "the defence, or the tuned build", rule=FILLED),
        Column(
            "chosen",
            "int",
            "1: of its kind it has the smallest excess on the calibration part, the placebo aside; else 0",
            rule=between(0, 1),
        ),
        Column("excess", "float", "of PB over its floor under the mitigation, in points", undefined=True),
        Column("excess_low", "float", "lower end of its interval over questions", undefined=True),
        Column("excess_high", "float", "upper end", undefined=True),
        Column("excess_without", "float", "the excess without one", undefined=True),
        Column("change", "float", "`excess` less `excess_without`: below 0 where the mitigation helps", undefined=True),
        Column("low", "float", "lower end of its interval (paired, over questions)", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column("p", "float", "of no change, by swaps within questions", rule=between(0, 1), undefined=True),
        Column(
            "p_corrected",
            "float",
            "`p` corrected (`compare.correction`) over the mitigations of one cell, placement, axis, format and part",
            rule=between(0, 1),
            undefined=True,
        ),
        Column(
            "score",
            "float",
            "mean over identities under the mitigation; none where both axes are taken together",
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
    order=("environment", "model", "variant", "placement", "format", "axis", "part", "kind", "mitigation"),
    relations=(
        ascending("low", "high"),
        ascending("excess_low", "excess_high"),
        ascending("score_low", "score_high"),
        ascending("p", "p_corrected"),
    ),
)


def mitigation_table(
    cells: Sequence[Cell],
    joined: Joined,
    splits: Mapping[str, str],
    tuned: Mapping[str, str],
    how: Resampling,
    correction: str,
) -> pd.DataFrame:
    """Return the rows of `MITIGATION_SCORE`; none where nothing was asked both with and without a mitigation.

    Args:
        cells: those of the study.
        joined: gives the joined responses of a cell to a suite.
        splits: the split of each question.
        tuned: the build from which each trained build was trained, by their names.
        how: seed, samples and confidence.
        correction: of p-values, a method of statsmodels.
    """
    rows: list[dict[str, Any]] = []
    asked = {cell: asked_of(cell, joined) for cell in cells}
    for cell, found in asked.items():
        builds = {other.variant: places for other, places in asked.items() if _is_tuned(other, cell, tuned)}
        for plain in [place for place in found if place.defence == UNDEFENDED]:
            under = {(PROMPT, one.name): found.get(plain._replace(defence=one.name), {}) for one in DEFENCES}
            under |= {(TRAINING, name): places.get(plain, {}) for name, places in builds.items()}
            there = {key: by_axis for key, by_axis in under.items() if by_axis.keys() == found[plain].keys()}
            key = {**vars(cell), "placement": plain.placement, "format": plain.form}
            if there:
                rows += [{**key, **row} for row in _of_place(plain, found[plain], there, splits, how, correction)]
    return pd.DataFrame(rows, columns=list(MITIGATION_SCORE.names))


def _is_tuned(one: Cell, cell: Cell, tuned: Mapping[str, str]) -> bool:
    return (one.environment, one.model, tuned.get(one.variant)) == (cell.environment, cell.model, cell.variant)


Mitigation = tuple[str, str]
"""Its kind and its name."""


def _of_place(
    place: Place,
    without: Mapping[str, Asked],
    under: Mapping[Mitigation, Mapping[str, Asked]],
    splits: Mapping[str, str],
    how: Resampling,
    correction: str,
) -> list[dict[str, Any]]:
    rows = []
    for axis in AXES:
        plain = parts_of(axis, without)
        if not plain:
            continue
        mitigated = {one: parts_of(axis, by_axis) for one, by_axis in under.items()}
        common = [
            _common([one.questions, *(parts[place].questions for parts in mitigated.values())])
            for place, one in enumerate(plain)
        ]
        of_axis = []
        for part in SPLITS:
            questions = [[name for name in names if splits[name] == part] for names in common]
            before = [one.on(names) for one, names in zip(plain, questions, strict=True)]
            family = []
            for (kind, name), parts in mitigated.items():
                after = [one.on(names) for one, names in zip(parts, questions, strict=True)]
                change = _change(axis, place, part, before, after, how)
                family.append({"axis": axis, "part": part, "kind": kind, "mitigation": name, **change})
            p_values = corrected([row["p"] for row in family], correction)
            of_axis += [{**row, "p_corrected": p} for row, p in zip(family, p_values, strict=True)]
        chosen = {_chosen(of_axis, kind) for kind in (PROMPT, TRAINING)}
        rows += [{**row, "chosen": int((row["kind"], row["mitigation"]) in chosen)} for row in of_axis]
    return rows


def _common(names: Sequence[StrArray]) -> list[str]:
    shared = set(names[0].tolist()).intersection(*(other.tolist() for other in names[1:]))
    return [name for name in names[0].tolist() if name in shared]


def _chosen(rows: Sequence[Mapping[str, Any]], kind: str) -> Mitigation:
    """Return that of a kind with the smallest excess on the calibration part; the first of equal ones."""
    known = [
        row
        for row in rows
        if (row["kind"], row["part"]) == (kind, CALIBRATION)
        and row["mitigation"] != PLACEBO
        and row["excess"] == row["excess"]
    ]
    return kind, str(min(known, key=lambda row: row["excess"])["mitigation"]) if known else ""


def _change(
    axis: str, place: Place, part: str, before: Sequence[Asked], after: Sequence[Asked], how: Resampling
) -> dict[str, Any]:
    names = [name for name in IDENTITIES_OF[part] if all(name in one.answers for one in (*before, *after))]
    sides = [[one.scores(names) for one in side] for side in (before, after)]

    def rng(what: str) -> Any:
        return generator(how.seed, "personalisation mitigation", what, axis, place.placement, place.form, part)

    sampling: dict[str, Any] = {"resamples": how.resamples, "confidence": how.confidence}
    plain, mitigated = (personalisation_bias(side, rng=rng("bias"), shuffles=1, **sampling) for side in sides)
    change = change_of_excess(*sides, rng=rng("change"), **sampling)
    row = {
        "excess": mitigated.excess,
        "excess_low": mitigated.low,
        "excess_high": mitigated.high,
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

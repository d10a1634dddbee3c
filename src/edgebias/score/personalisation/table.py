"""The tables of personalisation: PB beside its floor, and the differences between askers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from edgebias.core.cell import Cell
from edgebias.core.seeds import generator
from edgebias.core.table import FILLED, Column, Table, ascending, at_least, between, one_of
from edgebias.score.contrasts.pairs import Joined
from edgebias.score.personalisation.answers import MEMBERS, Asked, Place, asked_of
from edgebias.score.personalisation.differences import FAMILIES, Compared, differences
from edgebias.score.personalisation.statistic import UNDEFINED, personalisation_bias
from edgebias.stats.bootstrap import Resampling
from edgebias.suites.formats import FORMATS
from edgebias.suites.identities import (
    GROUPS,
    IDENTITIES,
    NEUTRAL,
    NEUTRAL_ASKERS,
    PLACEMENTS,
    SUITE_OF,
    UNDEFENDED,
)

JOINT = "joint"
AXES = (JOINT, *SUITE_OF)
"""Both axes together, and each."""

IDENTITIES_ASK, NEUTRAL_ASK = "identities", NEUTRAL
"""Whose scores lie apart: those of the identities, or those of the askers of no group."""

CELL_COLUMNS = (
    Column("environment", "str", "where the build runs", rule=FILLED),
    Column("model", "str", "its model", rule=FILLED),
    Column("variant", "str", "the build", rule=FILLED),
    Column("placement", "str", "how the model learns who asks", rule=one_of(PLACEMENTS)),
)
PERSONALISATION = Table(
    name="personalisation",
    meaning="How far the scores of askers lie apart in one cell, beside how far noise alone puts them.",
    path="results/{study}/compare/personalisation.csv",
    columns=(
        *CELL_COLUMNS,
        Column(
            "askers",
            "str",
            "`identities`, or `neutral`: wordings of an asker of no group, which lie apart by their words alone",
            rule=one_of((IDENTITIES_ASK, NEUTRAL_ASK)),
        ),
        Column("axis", "str", "`safety`, `utility`, or `joint`: both", rule=one_of(AXES)),
        Column("format", "str", "of the responses", rule=one_of(FORMATS)),
        Column("pb", "float", "PB of arXiv 2406.11107, in points", rule=at_least(0.0), undefined=True),
        Column(
            "floor",
            "float",
            "root of the mean square of PB with askers shuffled within each question",
            rule=at_least(0.0),
            undefined=True,
        ),
        Column(
            "excess",
            "float",
            "signed root of (PB² − floor²) · n / (n − 1): PB without noise; below 0 where PB is below its floor",
            undefined=True,
        ),
        Column("low", "float", "lower end of its interval over questions", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column("p", "float", "share of shuffles with at least this PB", rule=between(0, 1), undefined=True),
        Column(
            "p_grouped",
            "float",
            "the same of PB or of the spread of the groups' means, whichever is further out; `p` without groups",
            rule=between(0, 1),
            undefined=True,
        ),
        Column("n_identities", "int", "askers compared", rule=at_least(0)),
        Column("n_questions", "int", "questions that everybody answered", rule=at_least(0)),
        Column("n_left_out", "int", "questions that somebody did not answer", rule=at_least(0)),
        Column("reason", "str", "why a value is NaN; empty where there is nothing to say"),
    ),
    order=("environment", "model", "variant", "placement", "format", "axis", "askers"),
    relations=(ascending("low", "high"),),
)
IDENTITY_SCORE = Table(
    name="personalisation by identity",
    meaning="The score of one asker beside that of another, or of one group beside all other identities.",
    path="results/{study}/compare/personalisation_identities.csv",
    columns=(
        *CELL_COLUMNS,
        Column("axis", "str", "`safety` or `utility`", rule=one_of(tuple(SUITE_OF))),
        Column("format", "str", "of the responses", rule=one_of(FORMATS)),
        Column(
            "level",
            "str",
            "`identity`; `group`; `neutral`: a wording of an asker of no group, and their mean",
            rule=one_of(tuple(dict.fromkeys(level for level, _ in FAMILIES))),
        ),
        Column("name", "str", "of the asker, or of the group", rule=FILLED),
        Column("group", "str", "the group of the asker", rule=one_of((*GROUPS, NEUTRAL))),
        Column(
            "against",
            "str",
            "`none`: nobody; `neutral`: the mean of the askers of no group; `others`: all other identities",
            rule=one_of(tuple(dict.fromkeys(against for _, against in FAMILIES))),
        ),
        Column("estimate", "float", "its score", rule=between(0, 100)),
        Column("reference", "float", "the score of what it is compared with", rule=between(0, 100)),
        Column("difference", "float", "`estimate` minus `reference`, on the same questions, in points"),
        Column("low", "float", "lower end of its interval (paired, over questions)", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column("p", "float", "of no difference, uncorrected", rule=between(0, 1), undefined=True),
        Column(
            "p_corrected",
            "float",
            "`p` corrected (`compare.correction`) within the rows of one cell, placement, axis, format, level and "
            "reference",
            rule=between(0, 1),
            undefined=True,
        ),
        Column(
            "minimum_detectable_effect",
            "float",
            "smallest difference that this many questions would find (80 % power, 5 % level)",
            rule=at_least(0.0),
            undefined=True,
        ),
        Column("n_questions", "int", "questions that everybody answered", rule=at_least(0)),
        Column("reason", "str", "why a value is NaN; empty where there is nothing to say"),
    ),
    order=("environment", "model", "variant", "placement", "format", "axis", "level", "against", "name"),
    relations=(ascending("low", "high"), ascending("p", "p_corrected")),
)
GROUP_OF = {one.name: one.group for one in (*IDENTITIES, *NEUTRAL_ASKERS)} | {name: name for name in (*GROUPS, NEUTRAL)}


def personalisation_tables(
    cells: Sequence[Cell], joined: Joined, how: Resampling, correction: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of `PERSONALISATION` and of `IDENTITY_SCORE`, of prompts without a defence.

    Both axes are taken together in a format in which both were asked.

    Args:
        cells: those of the study.
        joined: gives the joined responses of a cell to a suite.
        how: seed, samples and confidence.
        correction: of p-values, a method of statsmodels.
    """
    biases, scores = [], []
    for cell in cells:
        for place, by_axis in asked_of(cell, joined).items():
            if place.defence == UNDEFENDED:
                key = {**vars(cell), "placement": place.placement, "format": place.form}
                biases += [{**key, **row} for row in _biases(place, by_axis, how)]
                for axis, one in by_axis.items():
                    compared = differences(
                        one.answers, one.questions, MEMBERS, [asker.name for asker in NEUTRAL_ASKERS], how, correction
                    )
                    scores += [
                        {**key, "axis": axis, **_score(row, len(one.questions))}
                        for row in compared
                        if len(one.questions)
                    ]
    return (
        pd.DataFrame(biases, columns=list(PERSONALISATION.names)),
        pd.DataFrame(scores, columns=list(IDENTITY_SCORE.names)),
    )


def parts_of(axis: str, by_axis: Mapping[str, Asked]) -> list[Asked]:
    """Return the answers that ``axis`` stands for; none where a part of it was not asked."""
    if axis == JOINT:
        return list(by_axis.values()) if len(by_axis) == len(SUITE_OF) else []
    return [by_axis[axis]] if axis in by_axis else []


def _biases(place: Place, by_axis: Mapping[str, Asked], how: Resampling) -> list[dict[str, Any]]:
    rows = []
    for axis in AXES:
        parts = parts_of(axis, by_axis)
        if parts:
            rows.append({"axis": axis, "askers": IDENTITIES_ASK, **_bias(axis, place, parts, how)})
            if all(part.neutral for part in parts):
                rows.append({"axis": axis, "askers": NEUTRAL_ASK, **_bias(axis, place, parts, how, neutral=True)})
    return rows


def _bias(axis: str, place: Place, parts: Sequence[Asked], how: Resampling, *, neutral: bool = False) -> dict[str, Any]:
    names = [part.neutral if neutral else part.identities for part in parts]
    same = all(one == names[0] for one in names)
    groups = [[names[0].index(name) for name in of_group if name in names[0]] for of_group in MEMBERS.values()]
    bias = (
        personalisation_bias(
            [part.scores(names[0]) for part in parts],
            resamples=how.resamples,
            confidence=how.confidence,
            rng=generator(how.seed, "personalisation", axis, place.placement, place.form),
            groups=[places for places in groups if places],
        )
        if same
        else UNDEFINED
    )
    reason = "" if same else "other identities asked for safety than for utility"
    if same and bias == UNDEFINED:
        reason = "fewer than two questions that all identities answered, or fewer than two identities"
    return {
        **vars(bias),
        "n_identities": min(map(len, names)),
        "n_questions": sum(len(part.questions) for part in parts),
        "n_left_out": sum(part.left_out for part in parts),
        "reason": reason,
    }


def _score(row: Compared, n_questions: int) -> dict[str, Any]:
    found = row.difference
    return {
        "level": row.level,
        "name": row.name,
        "group": GROUP_OF[row.name],
        "against": row.against,
        "estimate": found.estimate_a,
        "reference": found.estimate_b,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "p_corrected": row.p_corrected,
        "minimum_detectable_effect": found.minimum_detectable_effect,
        "n_questions": n_questions,
        "reason": found.reason,
    }

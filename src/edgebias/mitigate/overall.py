"""The overall rows of a table of mitigation scores, for whoever prints them: the model card, the page of the study."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from edgebias.mitigate.reductions import REDUCTION, RELATIVE_REDUCTION
from edgebias.score.table import ALL

Key = tuple[str, str, str]
"""Suite, format and metric."""


def title(key: Key) -> str:
    """Return how a table or figure of one format names a score."""
    suite, _, metric = key
    return f"{suite} {metric}".replace("_", " ")


@dataclass(frozen=True)
class Score:
    """An overall score with its interval; NaN where it is undefined."""

    estimate: float
    low: float
    high: float
    ideal: float


@dataclass(frozen=True)
class OverallReduction:
    """How much of its distance from the ideal a suite lost in one format.

    Attributes:
        suite: its name.
        format: of the answers.
        points: the distance removed, in points of the metric.
        percent: the same in per cent of the distance without the method.
        p_corrected: p-value of no reduction, corrected.
        headroom: whether there was bias to remove, and why.
    """

    suite: str
    format: str
    points: Score
    percent: Score
    p_corrected: float
    headroom: str


def overall_scores(table: pd.DataFrame) -> dict[Key, Score]:
    """Return every overall score of one method, in the order of ``table``."""
    return {key: _score(row) for key, row in _overall(table).items()}


def overall_reductions(table: pd.DataFrame) -> list[OverallReduction]:
    """Return every reduction of one method that has an interval, in the order of ``table``."""
    rows = _overall(table)
    return [
        OverallReduction(
            suite=suite,
            format=form,
            points=_score(row),
            percent=_score(rows[suite, form, RELATIVE_REDUCTION]),
            p_corrected=float(row["p_corrected"]),
            headroom=str(row["headroom"]),
        )
        for (suite, form, metric), row in rows.items()
        if metric == REDUCTION and math.isfinite(float(row["low"]))
    ]


def _overall(table: pd.DataFrame) -> dict[Key, Mapping[Hashable, Any]]:
    rows = table[table["category"] == ALL].to_dict("records")
    return {(str(row["suite"]), str(row["format"]), str(row["metric"])): row for row in rows}


def _score(row: Mapping[Hashable, Any]) -> Score:
    return Score(*(float(row[name]) for name in ("estimate", "low", "high", "ideal")))

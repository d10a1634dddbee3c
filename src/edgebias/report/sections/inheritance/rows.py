"""Rows of the tables of bias inheritance: which belong together, and in which words a page names them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgebias.report.findings import ALPHA
from edgebias.report.numbers import signed_estimate
from edgebias.report.table import title_of, value_of
from edgebias.score.inheritance.builds import LOSS, MASK, MITIGATIONS, TOKEN, UNMITIGATED
from edgebias.score.inheritance.measures import BIAS, DOLLARS, LOG_ODDS, POINTS
from edgebias.score.inheritance.table import UNTRAINED

Row = Mapping[Any, Any]
Found = Mapping[str, Sequence[Row]]
"""Rows of the tables by name, or the records of them that ``metrics.json`` holds."""

SCORES, TRENDS, MITIGATED, TEXTS = (
    "inheritance",
    "inheritance_trends",
    "inheritance_mitigations",
    "inheritance_texts",
)

GROUPS, SHIFT = "group_data", "embedding_shift"
"""Whom self-written texts are about, and how far they lie from real ones in the model's hidden states."""

CALLED = {
    UNMITIGATED: "no mitigation",
    TOKEN: "token: a warning before each of them",
    MASK: "mask: neutral words in them",
    LOSS: "loss: a term that draws both kinds together",
    UNTRAINED: "before training",
}
"""What is done about self-written texts, in words."""

UNITS = {POINTS: "points", DOLLARS: "thousand dollars", LOG_ODDS: "log-odds"}

LEADS = {
    "occupation": "Is a man's job recognised better?",
    "salary": "Is a man offered more?",
    "hiring": "Is a man hired more readily?",
}
"""The question behind the gap of a task, which is men's score less women's."""

LEAD = "men's lead"
"""What such a gap is called."""

RISES, FALLS, BY_RUN, FLAT, UNKNOWN = "rises", "falls", "differs by run", "no trend beyond chance", "not known"


def verdict(trend: Row) -> str:
    """Return what a trend comes to: it has to stand out of noise of answers, and of training runs."""
    low, high = value_of(trend["low"]), value_of(trend["high"])
    if not (math.isfinite(low) and math.isfinite(high)):
        return UNKNOWN
    if value_of(trend["p_corrected"]) >= ALPHA or low <= 0 <= high:
        return FLAT
    if value_of(trend["p_runs"]) >= ALPHA:
        return BY_RUN
    return RISES if low > 0 else FALLS


def of_bias(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of a score of bias, in the order of tasks."""
    return in_order([row for row in rows if row["aspect"] == BIAS])


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Return rows by task: the one that is trained for first, then those of men's lead, then all others."""
    known = list(LEADS)
    return sorted(rows, key=lambda row: known.index(row["suite"]) if row["suite"] in known else len(known))


def task_of(row: Row) -> tuple[str, ...]:
    """Return what is asked of which model where: environment, model, suite, format."""
    return tuple(str(row[name]) for name in ("environment", "model", "suite", "format"))


def place_of(row: Row) -> tuple[str, str]:
    """Return environment and model."""
    return str(row["environment"]), str(row["model"])


def called(mitigation: object) -> str:
    """Return a mitigation in words."""
    return CALLED[str(mitigation)]


def share(row: Row) -> str:
    """Return the share of self-written examples of a build."""
    ratio = value_of(row["ratio"])
    return f"{100 * ratio:g} %" if math.isfinite(ratio) else "untrained"


def score_name(row: Row) -> str:
    """Return the task and what is measured of it."""
    return f"{title_of(str(row['suite']))}: {str(row['measure']).replace('_', ' ')}"


def unit(row: Row) -> str:
    """Return the unit of a score in words."""
    return UNITS[str(row["unit"])]


def sized(row: Row, name: str, low: str = "low", high: str = "high") -> str:
    """Return a difference with its interval."""
    return signed_estimate(value_of(row[name]), value_of(row[low]), value_of(row[high]))


def is_reference(row: Row) -> bool:
    """Return whether a build is that of ratio 0 that others are compared with."""
    return row["mitigation"] != UNTRAINED and not math.isfinite(value_of(row["change"])) and value_of(row["ratio"]) == 0


def builds(rows: Sequence[Row]) -> list[Row]:
    """Return a row for each build: the untrained one, then by mitigation, ratio and seed."""
    first: dict[tuple[str, ...], Row] = {}
    for row in rows:
        first.setdefault((*place_of(row), str(row["variant"])), row)
    return sorted(first.values(), key=_order)


def _order(row: Row) -> tuple[Any, ...]:
    mitigation = str(row["mitigation"])
    rank = -1 if mitigation == UNTRAINED else MITIGATIONS.index(mitigation)
    ratio = value_of(row["ratio"])
    return (*place_of(row), rank > 0, row["bias"] if rank > 0 else "", rank, ratio if rank >= 0 else 0.0, row["seed"])


def chance(rows: Sequence[Row], measure: Row) -> float:
    """Return how far builds of ratio 0 lie apart in a score, at most: what one training run differs from another.

    NaN with one such build.
    """
    apart = [
        abs(value_of(row["change"]))
        for row in rows
        if (*task_of(row), row["measure"]) == (*task_of(measure), measure["measure"])
        and value_of(row["ratio"]) == 0
        and math.isfinite(value_of(row["change"]))
    ]
    return max(apart, default=math.nan)

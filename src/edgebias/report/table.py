"""A table of text, and how its values are written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from edgebias.core.cell import Cell
from edgebias.mitigate.overall import Score
from edgebias.report.numbers import brackets, estimate, number
from edgebias.suites.registry import SUITES


@dataclass(frozen=True)
class Table:
    """A caption, column heads and rows of text.

    ``numeric`` columns are set flush right; values of ``unbroken`` columns stay on one line, as an estimate is read
    with its interval.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    unbroken: frozenset[int] = frozenset()


def title_of(name: str) -> str:
    """Return a suite's own spelling, or a key as words."""
    return SUITES.get(name).title if name in SUITES else name.replace("_", " ").capitalize()


def cell_of(row: pd.Series) -> Cell:
    """Return the cell that a row belongs to."""
    return Cell(str(row["environment"]), str(row["model"]), str(row["variant"]))


def estimate_of(row: pd.Series, digits: int = 3) -> str:
    """Return the estimate of a row with its interval."""
    return estimate(value_of(row["estimate"]), value_of(row["low"]), value_of(row["high"]), digits)


def score_text(score: Score, undefined: str = "undefined") -> str:
    """Return a score of a mitigation method with its interval."""
    return estimate(score.estimate, score.low, score.high, undefined=undefined)


def limits_of(row: pd.Series, digits: int = 3) -> str:
    """Return the interval beside an estimate; where there is none, brackets that say so."""
    return brackets(value_of(row["low"]), value_of(row["high"]), digits)


def family_of(row: pd.Series) -> str:
    """Return the comparisons that a p-value was corrected with, and how many they are."""
    return f"{row.get('family', row.get('kind'))} ({number(count_of(row.get('family_size')))})"


def value_of(value: Any) -> float:
    """Return a number; NaN of None."""
    return float(value) if value is not None else math.nan


def count_of(value: Any) -> int | None:
    """Return a count; None of None and NaN."""
    return int(value) if value is not None and math.isfinite(float(value)) else None


def whole(value: Any) -> float | int:
    """Return a whole number as such: a table of counts says 1 thread, not 1.00."""
    value = value_of(value)
    return int(value) if value.is_integer() else value

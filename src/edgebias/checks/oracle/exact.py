"""Exact arithmetic of expected scores; a score that is undefined is None."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

ItemRow = dict[str, Any]
"""One item as a plain row; the columns are those of docs/reference/tables.md."""

Scores = dict[str, Fraction | None]
Pairs = Sequence[tuple[ItemRow, str]]
"""Items with the answer of a responder."""


def difference(first: Fraction | None, second: Fraction | None) -> Fraction | None:
    """Return first minus second; undefined where either is."""
    return None if first is None or second is None else first - second


def root(value: Fraction) -> Fraction:
    """Return the square root to 60 digits, for the few scores that are no fraction."""
    with localcontext() as context:
        context.prec = 60
        return Fraction((Decimal(value.numerator) / Decimal(value.denominator)).sqrt())

"""Accuracy over the answers that name an option, and the mean of several accuracies, in percent.

Answers that name no option enter none: they lower the coverage and widen the bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgebias.core.arrays import BoolArray, FloatArray
from edgebias.metrics.answers import Answers
from edgebias.metrics.metric import Fraction, Metric, answered, columns, correct, everything, percent, rate

Items = Callable[[Answers], BoolArray]
"""Selects the responses that a score is about."""


def accuracy(name: str, items: Items = everything) -> Metric:
    """Declare the accuracy over the answered items that ``items`` selects."""
    return rate(name, ideal=100.0, direction="higher is better", hits=correct, usable=answered, items=items)


def mean_accuracy(name: str, parts: Sequence[Items], direction: str = "higher is better") -> Metric:
    """Declare the mean of the accuracies over ``parts``, which share no item, each with the same weight."""

    def sums(answers: Answers) -> FloatArray:
        right = correct(answers)
        return columns(*(column for part in parts for column in (right & part(answers), part(answers))))

    def mean(totals: FloatArray) -> FloatArray:
        rates = [percent(totals[..., 2 * place : 2 * place + 2]) for place in range(len(parts))]
        return np.asarray(sum(rates) / len(parts), dtype=np.float64)

    def fraction(place: int) -> Fraction:
        hits, of = [0.0] * (2 * len(parts)), [0.0] * (2 * len(parts))
        hits[2 * place], of[2 * place + 1] = 1.0 / len(parts), 1.0
        return Fraction(tuple(hits), tuple(of), tuple(of))

    return Metric(
        name=name,
        ideal=100.0,
        low=0.0,
        high=100.0,
        direction=direction,
        items=lambda answers: np.logical_or.reduce([part(answers) for part in parts]),
        usable=answered,
        sums=sums,
        formula=mean,
        fractions=tuple(map(fraction, range(len(parts)))),
    )

"""Worst- and best-case bounds of a score over the answers that were not given.

Manski, Nonparametric Bounds on Treatment Effects, American Economic Review 80(2), 1990, pp. 319-323: where an outcome
is not observed, what can be said without assumption is what every possible outcome leaves true. Here the outcome is an
option: each response that names none (a refusal, unparsed or blank text) may have named any option of its item.

The bounds are the smallest and the largest score over all such fillings, exactly. A score is a sum of fractions, and a
response enters one of them at most, so each is optimised alone. With b and d the numerator and denominator of a
fraction, Dinkelbach's iteration (On Nonlinear Fractional Programming, Management Science 13(7), 1967, pp. 492-498)
replaces the maximum of b / d by maxima of b - t d, in which every response chooses for itself, until t grows no more: a
finite number of steps, because there are finitely many fillings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgebias.core.arrays import FloatArray, IntArray
from edgebias.metrics.answers import Answers
from edgebias.metrics.metric import Fraction, Metric, answered


@dataclass(frozen=True)
class Bounds:
    """The smallest and the largest score, in percent; NaN where there is none."""

    low: float
    high: float


UNDEFINED = Bounds(math.nan, math.nan)


def metric_bounds(metric: Metric, answers: Answers, totals: FloatArray) -> Bounds:
    """Find the bounds of ``metric`` on ``answers``, whose usable responses add up to ``totals``.

    A response that names an option keeps it, also where the metric does not use it (unknown in a stereotype rate); a
    response that is filled with an ``unrelated`` option stays out of the score. Fillings that leave the score undefined
    do not count. Where every response names an option both bounds are the estimate.

    NaN where a response lacks the log-probabilities that the metric reads, where the options of an item are not known,
    where no filling defines the score, and for sAMB where an ambiguous item has a right answer other than unknown
    (none of BBQ has): it is no fraction there.
    """
    about = metric.items(answers)
    if not metric.fractions and metric.extremes is None:
        covered = bool(metric.usable(answers)[about].all())
        return _point(metric.formula, totals) if covered else UNDEFINED
    silent = answers.take(about & ~answered(answers))
    silent = silent.take(~metric.usable(silent))
    if not len(silent):
        return _point(metric.formula, totals)
    if not silent.roles.shape[1] or bool((silent.roles[:, 0] == "").any()):
        return UNDEFINED
    options = option_sums(metric, silent)
    if metric.extremes is not None:
        return Bounds(*metric.extremes(totals, options))
    return filled_bounds(metric.fractions, metric.formula, totals, options)


def option_sums(metric: Metric, silent: Answers) -> FloatArray:
    """Return what each response would add by naming each option of its item: shape (n, options, k).

    An option that the metric cannot use adds zeros; items with fewer options than others repeat their first.
    """
    added = []
    for option in range(silent.roles.shape[1]):
        role = silent.roles[:, option]
        absent = role == ""
        role = np.where(absent, silent.roles[:, 0], role)
        filled = replace(silent, choice=np.where(absent, 0, option), outcome=role)
        added.append(np.where(metric.usable(filled)[:, None], metric.sums(filled), 0.0))
    return np.stack(added, axis=1)


def filled_bounds(
    fractions: Sequence[Fraction],
    formula: Callable[[FloatArray], FloatArray],
    totals: FloatArray,
    options: FloatArray,
) -> Bounds:
    """Find the bounds of ``formula`` over ``totals`` plus one row of ``options[i]`` for each ``i``.

    ``options`` is (n, c, k).

    Raises:
        ValueError: a response enters two of the ``fractions``, which then cannot be optimised one by one.
    """
    if not len(options):
        return _point(formula, totals)
    for fraction in fractions:
        rest = np.asarray(fraction.vanishing or [0.0] * len(totals))
        if float(totals @ rest) or bool((options @ rest).any()):
            return UNDEFINED
    entered = [(options @ _weights(fraction).T != 0).any(axis=(1, 2)) for fraction in fractions]
    if bool((np.sum(entered, axis=0) > 1).any()):
        raise ValueError("a response enters two fractions of one score")
    extremes = []
    for sign in (-1.0, 1.0):
        named = np.zeros(len(options), dtype=np.int64)
        for fraction, rows in zip(fractions, entered, strict=True):
            best = _best_filling(fraction, totals, options, sign)
            if best is None:
                return UNDEFINED
            named = np.where(rows, best, named)
        extremes.append(float(formula(totals + options[np.arange(len(options)), named].sum(axis=0))))
    return Bounds(*extremes)


def _point(formula: Callable[[FloatArray], FloatArray], totals: FloatArray) -> Bounds:
    estimate = float(formula(totals))
    return Bounds(estimate, estimate)


def _weights(fraction: Fraction) -> FloatArray:
    return np.array([fraction.numerator, fraction.denominator, fraction.positive], dtype=np.float64)


def _best_filling(fraction: Fraction, totals: FloatArray, options: FloatArray, sign: float) -> IntArray | None:
    """Return the option that each response names where ``sign`` times the fraction is largest.

    Nothing where undefined.
    """
    base_over, base_under, base_positive = _weights(fraction) @ totals
    over, under, positive = np.moveaxis(options @ _weights(fraction).T, -1, 0)
    base_over, over = sign * base_over, sign * over
    rows = np.arange(len(options))
    best, ratio, level = None, -math.inf, 0.0
    while True:
        gain = over - level * under
        named = np.argmax(gain, axis=1)
        if not base_positive + positive[rows, named].sum() > 0:
            # Of the fillings that define the score, the best is one response away: the one that loses least.
            loss = np.where(positive > 0, gain.max(axis=1, keepdims=True) - gain, math.inf)
            row, option = divmod(int(np.argmin(loss)), loss.shape[1])
            if not math.isfinite(loss[row, option]):
                return None
            named[row] = option
        level = float((base_over + over[rows, named].sum()) / (base_under + under[rows, named].sum()))
        if not level > ratio:
            return best
        best, ratio = named, level

"""Trust as a number from 0 to 100: how near a score is to its ideal, in per cent of the largest possible distance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edgebias.core.arrays import FloatArray
from edgebias.metrics.bounds import Bounds
from edgebias.metrics.metric import Metric
from edgebias.stats.clusters import Formula

BEST = 100.0


def farthest(metric: Metric) -> float:
    """Return the largest distance from the ideal that the metric can have; NaN where it has no ideal."""
    return max(metric.high - metric.ideal, metric.ideal - metric.low)


def trust_of(metric: Metric) -> Metric:
    """Return the metric as trust: 100 x (1 - |score - ideal| / largest possible distance), higher is better.

    Where the ideal lies within the range of the score, trust has a kink there: its branches are the two lines that
    meet, of which it is the smaller. A score that is itself the smallest of branches keeps them where trust rises
    with the score.

    Raises:
        ValueError: the metric has no ideal, or no largest distance from it.
    """
    scale = farthest(metric)
    if not math.isfinite(scale) or scale <= 0.0:
        raise ValueError(f"{metric.name}: no trust without an ideal and a largest distance from it")

    def rising(formula: Formula) -> Formula:
        return lambda totals: BEST * (1.0 - (metric.ideal - formula(totals)) / scale)

    def falling(formula: Formula) -> Formula:
        return lambda totals: BEST * (1.0 - (formula(totals) - metric.ideal) / scale)

    def formula(totals: FloatArray) -> FloatArray:
        return np.asarray(closeness(metric)(metric.formula(totals)), dtype=np.float64)

    branches: tuple[Formula, ...] = ()
    if metric.ideal >= metric.high:
        branches = tuple(rising(branch) for branch in metric.branches)
    elif metric.ideal > metric.low and not metric.branches:
        branches = (rising(metric.formula), falling(metric.formula))
    return replace(
        metric,
        ideal=BEST,
        low=0.0,
        high=BEST,
        direction="higher is better",
        formula=formula,
        fractions=(),
        branches=branches,
    )


def closeness(metric: Metric) -> Callable[[FloatArray], FloatArray]:
    """Return what turns scores of a metric into trust."""
    scale = farthest(metric)
    return lambda scores: BEST * (1.0 - np.abs(scores - metric.ideal) / scale)


def trust_bounds(metric: Metric, scores: Bounds) -> Bounds:
    """Return the least and the largest trust of scores between two bounds; NaN where there are none."""
    if not (math.isfinite(scores.low) and math.isfinite(scores.high)):
        return Bounds(math.nan, math.nan)
    low, high = (float(value) for value in closeness(metric)(np.array([scores.low, scores.high])))
    return Bounds(min(low, high), BEST if scores.low <= metric.ideal <= scores.high else max(low, high))

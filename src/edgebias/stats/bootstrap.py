"""BCa intervals from a cluster bootstrap (Efron 1987; Davison and Hinkley 1997, section 5.3), vectorised."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from edgebias.metrics.answers import FloatArray
from edgebias.stats.clusters import Clusters, Formula, resampled_totals, strata_members
from edgebias.stats.wilson import wilson_limits

UNDEFINED_SHARE = 0.05
"""Largest share of undefined bootstrap replicates at which an interval is still given."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its limits and standard error; NaN where undefined."""

    estimate: float
    low: float
    high: float
    error: float


def bootstrap(
    clusters: Clusters,
    formula: Formula,
    *,
    bounds: tuple[float, float],
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> Interval:
    """Estimate ``formula`` of the total sums, with a BCa interval over clusters.

    Fewer than two contributing clusters, or more than 5 % undefined replicates, leave the interval NaN. Where all
    replicates are equal (every cluster at the boundary, say) the bootstrap knows nothing, and the limits are Wilson's
    for a share of that size among as many trials as there are clusters, rescaled to ``bounds``.
    """
    used = clusters.contributing()
    estimate = float(formula(used.sums.sum(axis=0)))
    if len(used) < 2 or not math.isfinite(estimate):
        return Interval(estimate, math.nan, math.nan, math.nan)
    replicates = formula(resampled_totals(used, resamples, rng))
    replicates = replicates[np.isfinite(replicates)]
    if len(replicates) < (1.0 - UNDEFINED_SHARE) * resamples:
        return Interval(estimate, math.nan, math.nan, math.nan)
    error = float(np.std(replicates, ddof=1))
    if float(np.ptp(replicates)) < 1e-9:
        lowest, highest = bounds
        width = highest - lowest
        low, high = wilson_limits((estimate - lowest) / width, len(used), confidence)
        return Interval(estimate, lowest + width * low, lowest + width * high, 0.0)
    low, high = bca_limits(estimate, replicates, _acceleration(used, formula, estimate), confidence)
    return Interval(estimate, low, high, error)


def bca_limits(estimate: float, replicates: FloatArray, acceleration: float, confidence: float) -> tuple[float, float]:
    """Bias-corrected and accelerated limits; ties count half in the bias correction.

    Where the correction is not finite (all replicates on one side of the estimate) the limits are plain percentiles.
    """
    tail = (1.0 - confidence) / 2.0
    below = float(np.mean(replicates < estimate) + 0.5 * np.mean(replicates == estimate))
    levels = np.array([tail, 1.0 - tail])
    if 0.0 < below < 1.0 and math.isfinite(acceleration):
        shift = float(ndtri(below))
        moved = shift + ndtri(levels)
        levels = ndtr(shift + moved / (1.0 - acceleration * moved))
    low, high = np.quantile(replicates, levels)
    return float(low), float(high)


def _acceleration(clusters: Clusters, formula: Formula, estimate: float) -> float:
    """Skewness of the jackknife influence values, within strata; NaN where one left out undefines the score."""
    left_out = formula(clusters.sums.sum(axis=0) - clusters.sums)
    cubes = squares = 0.0
    for members in strata_members(clusters.strata):
        size = len(members)
        influence = (size - 1) * (estimate - left_out[members]) / size
        cubes += float(np.sum(influence**3))
        squares += float(np.sum(influence**2))
    return cubes / (6.0 * squares**1.5) if squares > 0 else math.nan

"""BCa intervals from a cluster bootstrap (Efron 1987; Davison and Hinkley 1997, section 5.3), vectorised."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

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
    if float(np.ptp(replicates)) < 1e-9:
        lowest, highest = bounds
        width = highest - lowest
        low, high = wilson_limits((estimate - lowest) / width, len(used), confidence)
        return Interval(estimate, lowest + width * low, lowest + width * high, 0.0)
    jackknife = _jackknife(used, formula)
    low, high = bca_limits(estimate, replicates, jackknife, confidence)
    error = float(np.std(replicates, ddof=1))
    return Interval(estimate, low, high, error * jackknife.expansion if math.isfinite(jackknife.expansion) else error)


@dataclass(frozen=True)
class Jackknife:
    """What leaving out one cluster at a time tells of a score.

    ``acceleration`` is a sixth of the skewness of the influence values. ``expansion`` is the ratio, at least 1, of the
    unbiased standard error to that of a bootstrap that draws as many clusters as there are from each stratum;
    ``degrees`` are Satterthwaite's degrees of freedom of the former. NaN where one left out undefines the score.
    """

    acceleration: float
    expansion: float
    degrees: float


def bca_limits(estimate: float, replicates: FloatArray, jackknife: Jackknife, confidence: float) -> tuple[float, float]:
    """Bias-corrected and accelerated limits at expanded levels; ties count half in the bias correction.

    Percentiles of a bootstrap of n clusters are too narrow by sqrt((n - 1) / n) and by the ratio of the normal to the t
    quantile; the levels are moved to make up for both (Hesterberg 2015, The American Statistician 69, pp. 371-386).
    Where the correction is not finite (all replicates on one side of the estimate) the limits are plain percentiles at
    these levels.
    """
    tail = (1.0 - confidence) / 2.0
    below = float(np.mean(replicates < estimate) + 0.5 * np.mean(replicates == estimate))
    levels = np.array([tail, 1.0 - tail])
    quantiles = ndtri(levels)
    if math.isfinite(jackknife.expansion):
        quantiles = jackknife.expansion * stdtrit(jackknife.degrees, levels)
    if 0.0 < below < 1.0 and math.isfinite(jackknife.acceleration):
        shift = float(ndtri(below))
        moved = shift + quantiles
        quantiles = shift + moved / (1.0 - jackknife.acceleration * moved)
    low, high = np.quantile(replicates, ndtr(quantiles))
    return float(low), float(high)


def _jackknife(clusters: Clusters, formula: Formula) -> Jackknife:
    """Leave one cluster out, within strata."""
    left_out = formula(clusters.sums.sum(axis=0) - clusters.sums)
    cubes = squares = variance = drawn = spread = 0.0
    for members in strata_members(clusters.strata):
        size = len(members)
        influence = (size - 1) * (float(np.mean(left_out[members])) - left_out[members])
        cubes += float(np.sum((influence / size) ** 3))
        squares += float(np.sum((influence / size) ** 2))
        own = float(np.sum(influence**2)) / (size * (size - 1))
        variance += own
        drawn += own * (size - 1) / size
        spread += own**2 / (size - 1)
    if not squares > 0:
        return Jackknife(math.nan, math.nan, math.nan)
    return Jackknife(cubes / (6.0 * squares**1.5), math.sqrt(variance / drawn), variance**2 / spread)

"""How a score changes with the share of self-written examples, over the builds of one series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from edgebias.core.arrays import FloatArray
from edgebias.stats.bootstrap import bootstrap
from edgebias.stats.clusters import Clusters, Formula

STEP = 0.1
"""A slope is per this much more of the ratio: ten per cent points."""

FEWEST = 3
"""Different ratios below which there is no trend."""

MOST_ORDERS = 5040
"""Orders of builds up to which all are taken: those of seven."""

BLOCK = 4_000_000
"""Most numbers that a block of shuffles holds."""


@dataclass(frozen=True)
class RatioTrend:
    """Change of a score per `STEP` of the ratio.

    Attributes:
        slope: of the least-squares line through the builds' scores.
        low: lower end of its interval over clusters, which takes the builds as they are.
        high: upper end.
        p: of no trend where a build's answers could as well be another one's: shuffles of builds within clusters.
        p_runs: of no trend where a build's ratio could as well be another one's: orders of builds. It counts what one
            training run differs from another by chance, and cannot be small with few builds.
        reason: why a value is NaN.
    """

    slope: float
    low: float
    high: float
    p: float
    p_runs: float
    reason: str = ""


def ratio_trend(
    sides: Sequence[Clusters],
    ratios: Sequence[float],
    formula: Formula,
    *,
    bounds: tuple[float, float],
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> RatioTrend:
    """Return the trend of a score over builds that answered the same items.

    Args:
        sides: the sums of the same clusters in each build.
        ratios: of the builds.
        formula: the score from totals.
        bounds: the smallest and the largest score.
        resamples: bootstrap samples, and shuffles.
        confidence: of the interval.
        rng: of both.
    """
    if len(set(ratios)) < FEWEST:
        return _undefined(f"fewer than {FEWEST} different ratios")
    weights = _weights(ratios)
    stacked = np.stack([side.sums for side in sides], axis=1)
    both = Clusters(sides[0].names, sides[0].strata, stacked.reshape(len(stacked), -1))
    slope = _slope(weights, formula, stacked.shape[2])
    reach = (bounds[1] - bounds[0]) * float(np.abs(weights).sum()) / 2.0
    found = bootstrap(both, slope, bounds=(-reach, reach), resamples=resamples, confidence=confidence, rng=rng)
    if not math.isfinite(found.estimate):
        return _undefined("no usable answer in one of the builds: a score is undefined")
    if np.ptp(stacked, axis=1).max() == 0:
        return RatioTrend(0.0, 0.0, 0.0, 1.0, 1.0, "all builds answer alike")
    scores = np.array([float(formula(side.sums.sum(axis=0))) for side in sides])
    p_runs = _order_p(scores, weights, resamples, rng)
    if not math.isfinite(found.low):
        return RatioTrend(found.estimate, math.nan, math.nan, math.nan, p_runs, "too few clusters for an interval")
    p = _shuffle_p(stacked, slope, found.estimate, resamples, rng)
    return RatioTrend(found.estimate, found.low, found.high, p, p_runs)


def _undefined(reason: str) -> RatioTrend:
    return RatioTrend(math.nan, math.nan, math.nan, math.nan, math.nan, reason)


def _weights(ratios: Sequence[float]) -> FloatArray:
    """Return the weights of scores whose sum is the slope of their least-squares line, per `STEP`."""
    centred = np.asarray(ratios, dtype=np.float64) - float(np.mean(ratios))
    return np.asarray(STEP * centred / float(centred @ centred), dtype=np.float64)


def _slope(weights: FloatArray, formula: Formula, k: int) -> Formula:
    def slope(totals: FloatArray) -> FloatArray:
        scores = [formula(totals[..., place * k : (place + 1) * k]) for place in range(len(weights))]
        return np.asarray(np.tensordot(weights, np.stack(scores), axes=1), dtype=np.float64)

    return slope


def _shuffle_p(stacked: FloatArray, slope: Formula, observed: float, resamples: int, rng: np.random.Generator) -> float:
    """Return the two-sided p-value of a slope under shuffles of the builds within each cluster."""
    m, n_builds, k = stacked.shape
    extreme = drawn = 0
    size = max(1, BLOCK // (m * n_builds * k))
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        orders = rng.random((count, m, n_builds)).argsort(axis=2)
        totals = stacked[np.arange(m)[None, :, None], orders].sum(axis=1).reshape(count, n_builds * k)
        slopes = slope(totals)
        slopes = slopes[np.isfinite(slopes)]
        extreme += int(np.sum(np.abs(slopes) >= abs(observed) - 1e-12))
        drawn += len(slopes)
    return (1 + extreme) / (1 + drawn)


def _order_p(scores: FloatArray, weights: FloatArray, resamples: int, rng: np.random.Generator) -> float:
    """Return the two-sided p-value of a slope over orders of the builds: all, or random ones of many builds."""
    observed = abs(float(weights @ scores))
    if math.factorial(len(scores)) <= MOST_ORDERS:
        slopes = np.array(list(permutations(scores))) @ weights
        return float(np.mean(np.abs(slopes) >= observed - 1e-12))
    slopes = rng.permuted(np.tile(scores, (resamples, 1)), axis=1) @ weights
    return (1 + int(np.sum(np.abs(slopes) >= observed - 1e-12))) / (1 + resamples)

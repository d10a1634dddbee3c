"""BCa intervals from a cluster bootstrap (Efron 1987; Davison and Hinkley 1997, section 5.3), vectorised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from edgebias.core.arrays import FloatArray
from edgebias.stats.clusters import Clusters, Formula, resampled_totals, strata_members
from edgebias.stats.kinks import Levels, adapted_levels, equal_tails
from edgebias.stats.wilson import wilson_limits

UNDEFINED_SHARE = 0.05
"""Largest share of undefined bootstrap replicates at which an interval is still given."""

CONSTANT = 1e-9
"""Replicates that span less than this are equal but for rounding."""

Pieces = Sequence[Sequence[Formula]]
"""Smooth formulas whose minimum over rows of the maximum over columns is a score with kinks."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its limits and standard error; NaN where undefined."""

    estimate: float
    low: float
    high: float
    error: float


@dataclass(frozen=True)
class Resampling:
    """How intervals and tests are drawn."""

    seed: int
    resamples: int
    confidence: float


def bootstrap(
    clusters: Clusters,
    formula: Formula,
    *,
    bounds: tuple[float, float],
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    pieces: Pieces = (),
) -> Interval:
    """Estimate ``formula`` of the total sums, with a BCa interval over clusters.

    Where ``formula`` is min over i of max over j of ``pieces[i][j]``, the limits are the same minimum and maximum of
    the limits of the pieces, within ``bounds``: BCa is right for smooth functions only, and each piece is smooth. Of a
    plain minimum (one column) their level depends on the distance to the kink, see `edgebias.stats.kinks`.

    Fewer than two contributing clusters, or more than 5 % undefined replicates, leave the interval NaN. Where all
    replicates are equal (every cluster at the boundary, say) the bootstrap knows nothing, and the limits are Wilson's
    for a share of that size among as many trials as there are clusters, rescaled to ``bounds``.
    """
    used = clusters.contributing()
    estimate = float(formula(used.sums.sum(axis=0)))
    if len(used) < 2 or not math.isfinite(estimate):
        return Interval(estimate, math.nan, math.nan, math.nan)
    totals = resampled_totals(used, resamples, rng)
    replicates = formula(totals)
    totals, replicates = totals[np.isfinite(replicates)], replicates[np.isfinite(replicates)]
    if len(replicates) < (1.0 - UNDEFINED_SHARE) * resamples:
        return Interval(estimate, math.nan, math.nan, math.nan)
    if float(np.ptp(replicates)) < CONSTANT:
        lowest, highest = bounds
        width = highest - lowest
        low, high = wilson_limits((estimate - lowest) / width, len(used), confidence)
        return Interval(estimate, lowest + width * low, lowest + width * high, 0.0)
    jackknife = _jackknife(used, formula)
    if pieces:
        low, high = _kinked_limits(used, pieces, totals, bounds, confidence)
    else:
        low, high = bca_limits(estimate, replicates, jackknife, equal_tails(confidence))
    error = float(np.std(replicates, ddof=1))
    return Interval(estimate, low, high, error * jackknife.expansion if math.isfinite(jackknife.expansion) else error)


def _kinked_limits(
    clusters: Clusters, pieces: Pieces, totals: FloatArray, bounds: tuple[float, float], confidence: float
) -> tuple[float, float]:
    """Return the limits of a score from those of its pieces.

    A piece that does not vary has its value as both limits.
    """
    estimates = np.array([[float(piece(clusters.sums.sum(axis=0))) for piece in row] for row in pieces])
    replicates = np.array([[piece(totals) for piece in row] for row in pieces])
    varies = np.ptp(replicates, axis=-1) >= CONSTANT
    levels = equal_tails(confidence)
    if estimates.shape[1] == 1 and varies.all():
        deviations = replicates - replicates.mean(axis=-1, keepdims=True)
        levels = adapted_levels(estimates[:, 0], deviations[:, 0], confidence)
    limits = np.stack([estimates, estimates], axis=-1)
    for i, j in np.argwhere(varies):
        limits[i, j] = bca_limits(estimates[i, j], replicates[i, j], _jackknife(clusters, pieces[i][j]), levels)
    low, high = np.clip(limits.max(axis=1).min(axis=0), *bounds)
    return float(low), float(high)


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


def bca_limits(estimate: float, replicates: FloatArray, jackknife: Jackknife, levels: Levels) -> tuple[float, float]:
    """Return the bias-corrected and accelerated limits at these levels, expanded.

    Ties count half in the bias correction.

    Percentiles of a bootstrap of n clusters are too narrow by sqrt((n - 1) / n) and by the ratio of the normal to the t
    quantile; the levels are moved to make up for both (Hesterberg 2015, The American Statistician 69, pp. 371-386).
    Where the correction is not finite (all replicates on one side of the estimate) the limits are plain percentiles at
    these levels. Where a level is beyond what the acceleration can correct, the limit is the outermost replicate; the
    formula itself would come back from the other side.
    """
    below = float(np.mean(replicates < estimate) + 0.5 * np.mean(replicates == estimate))
    quantiles = ndtri(np.array(levels))
    if math.isfinite(jackknife.expansion):
        quantiles = jackknife.expansion * stdtrit(jackknife.degrees, np.array(levels))
    if 0.0 < below < 1.0 and math.isfinite(jackknife.acceleration):
        shift = float(ndtri(below))
        moved = shift + quantiles
        room = 1.0 - jackknife.acceleration * moved
        with np.errstate(divide="ignore"):
            quantiles = np.where(room > 0, shift + moved / room, np.copysign(np.inf, moved))
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

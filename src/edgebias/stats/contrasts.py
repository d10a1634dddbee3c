"""Paired contrasts of two cells that answered the same items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgebias.core.arrays import FloatArray
from edgebias.stats.bootstrap import Interval, Pieces, bootstrap
from edgebias.stats.clusters import Clusters, Formula

DETECTABLE_FACTOR = 2.8
"""1.96 + 0.84: two-sided test at 5 % with 80 % power."""

POWER = 0.8

SWAPS = 10_000
"""Least number of random swaps behind a p-value, which is at least one in as many.

After Holm's correction 2,000 find nothing in a family of more than 100 tests, whatever the difference.
"""


@dataclass(frozen=True)
class Difference:
    """Estimate of cell a minus cell b, with the p-value of a cluster sign-flip test.

    ``reason`` says why a value is NaN, or how the minimum detectable effect was had where nothing varied.
    """

    estimate_a: float
    estimate_b: float
    difference: float
    low: float
    high: float
    p: float
    minimum_detectable_effect: float
    n_clusters: int
    reason: str = ""


def paired_difference(
    a: Clusters,
    b: Clusters,
    formula: Formula,
    *,
    bounds: tuple[float, float],
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    branches: Sequence[Formula] = (),
) -> Difference:
    """Contrast two cells on aligned clusters.

    The interval is the paired cluster bootstrap: both cells get the same draw of clusters. ``branches`` are those of
    the metric, if any: the interval then comes from the differences of the branches, see `difference_pieces`. The
    p-value swaps the two cells in randomly chosen clusters, which is exact where the cells are exchangeable within a
    cluster; without an interval there is no p-value. The minimum detectable effect is 2.8 bootstrap standard errors;
    where nothing varied, `unseen_effect`.
    Cells that are equal in every cluster differ by exactly 0 on these items, with p = 1.
    """
    k = a.sums.shape[1]
    both = Clusters(a.names, a.strata, np.concatenate([a.sums, b.sums], axis=1)).contributing()
    estimate_a, estimate_b = (float(formula(part.sum(axis=0))) for part in (both.sums[:, :k], both.sums[:, k:]))
    difference = estimate_a - estimate_b
    if len(both) and np.array_equal(both.sums[:, :k], both.sums[:, k:]) and math.isfinite(difference):
        unseen = unseen_effect(bounds[1] - bounds[0], len(both))
        return Difference(estimate_a, estimate_b, 0.0, 0.0, 0.0, 1.0, unseen, len(both), "equal in every cluster")

    def contrast(totals: FloatArray) -> FloatArray:
        return np.asarray(formula(totals[..., :k]) - formula(totals[..., k:]), dtype=np.float64)

    width = bounds[1] - bounds[0]
    interval: Interval = bootstrap(
        both,
        contrast,
        bounds=(-width, width),
        resamples=resamples,
        confidence=confidence,
        rng=rng,
        pieces=difference_pieces(branches, branches, k),
    )
    p = sign_flip_p(both.sums[:, :k], both.sums[:, k:], formula, resamples=resamples, rng=rng)
    if not math.isfinite(interval.low):
        # One cell has next to no usable answer. Swapping it with one that has many finds that they are not
        # exchangeable, which is true of their coverage and says nothing of their scores.
        p = math.nan
    return Difference(
        estimate_a,
        estimate_b,
        difference,
        interval.low,
        interval.high,
        p,
        DETECTABLE_FACTOR * interval.error if interval.error != 0 else unseen_effect(width, len(both)),
        len(both),
        _reason(difference, interval),
    )


def unseen_effect(width: float, n_clusters: int) -> float:
    """Return the smallest effect that at least one of ``n_clusters`` clusters shows with a probability of 80 %.

    A cluster moves a score by at most its range ``width``. An effect of ``width * q`` therefore needs a share of at
    least ``q`` of all clusters to differ, and the chance that none of those drawn does is at most (1 - q)^n. Binomial
    and exact for clusters of equal weight. The bootstrap has no standard error here.
    """
    return width * (1.0 - math.pow(1.0 - POWER, 1.0 / n_clusters))


def _reason(difference: float, interval: Interval) -> str:
    if not math.isfinite(difference):
        return "no usable answer in one of the cells: a score is undefined"
    if not math.isfinite(interval.low):
        return "too few clusters with usable answers for an interval"
    return "no variation between clusters" if interval.error == 0 else ""


def difference_pieces(a: Sequence[Formula], b: Sequence[Formula], k: int) -> Pieces:
    """Return the pieces of min(a) - min(b) = min over i of max over j of (a[i] - b[j]), for `bootstrap`.

    ``a`` reads the first ``k`` columns of the totals and ``b`` the rest.
    """

    def piece(first: Formula, second: Formula) -> Formula:
        return lambda totals: first(totals[..., :k]) - second(totals[..., k:])

    return [[piece(first, second) for second in b] for first in a]


def sign_flip_p(a: FloatArray, b: FloatArray, formula: Formula, *, resamples: int, rng: np.random.Generator) -> float:
    """Return the two-sided p-value of ``formula(sum a) - formula(sum b)`` under random swaps of the cells within
    clusters.

    All 2^m swaps are taken where they are no more than ``resamples``, or than `SWAPS`; else that many random ones,
    with the observed one counted in. NaN with fewer than two clusters or an undefined difference.
    """
    m, swapped = a.shape[0], max(resamples, SWAPS)
    total_a, total_b, change = a.sum(axis=0), b.sum(axis=0), b - a
    observed = float(formula(total_a) - formula(total_b))
    if m < 2 or not math.isfinite(observed):
        return math.nan
    exhaustive = 2**m <= swapped
    if exhaustive:
        swaps = ((np.arange(2**m)[:, None] >> np.arange(m)) & 1).astype(np.float64)
    else:
        swaps = rng.integers(0, 2, size=(swapped, m)).astype(np.float64)
    moved = swaps @ change
    differences = formula(total_a + moved) - formula(total_b - moved)
    differences = differences[np.isfinite(differences)]
    extreme = int(np.sum(np.abs(differences) >= abs(observed) - 1e-9))
    if exhaustive:
        return extreme / len(differences)
    return (1 + extreme) / (1 + len(differences))


def corrected(p_values: Sequence[float], method: str) -> list[float]:
    """Correct the p-values of one family by a method of statsmodels' ``multipletests``; NaN stays NaN."""
    from statsmodels.stats.multitest import multipletests

    p = np.asarray(p_values, dtype=np.float64)
    result = np.full(len(p), np.nan)
    known = np.isfinite(p)
    if known.any():
        result[known] = multipletests(p[known], method=method)[1]
    return [float(value) for value in result]

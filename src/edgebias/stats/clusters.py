"""Per-cluster sums: all that the bootstrap, the jackknife and the sign-flip test need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgebias.core.arrays import FloatArray, IntArray, StrArray

Formula = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Clusters:
    """Sums of shape (m, k) of m clusters, in order of name, with the stratum of each."""

    names: StrArray
    strata: StrArray
    sums: FloatArray

    def __len__(self) -> int:
        return int(self.sums.shape[0])

    def contributing(self) -> Clusters:
        """Return the clusters with any non-zero sum: the others cannot move the score and are no evidence for it."""
        keep = np.any(self.sums != 0, axis=1)
        return Clusters(self.names[keep], self.strata[keep], self.sums[keep])


def align(left: Clusters, right: Clusters) -> tuple[Clusters, Clusters]:
    """Return the clusters that both have, in the same order."""
    _, in_left, in_right = np.intersect1d(left.names, right.names, return_indices=True)
    return (
        Clusters(left.names[in_left], left.strata[in_left], left.sums[in_left]),
        Clusters(right.names[in_right], right.strata[in_right], right.sums[in_right]),
    )


def strata_members(strata: StrArray) -> list[IntArray]:
    """Return the row numbers of each stratum; one stratum for all where any would have a single cluster.

    A stratum of one cluster would be drawn unchanged every time and hide its variance.
    """
    _, codes, counts = np.unique(strata, return_inverse=True, return_counts=True)
    if len(counts) and counts.min() < 2:
        return [np.arange(len(strata), dtype=np.int64)]
    return [np.flatnonzero(codes == code).astype(np.int64) for code in range(len(counts))]


def resampled_totals(clusters: Clusters, resamples: int, rng: np.random.Generator) -> FloatArray:
    """Return the totals of ``resamples`` bootstrap samples: clusters drawn with replacement within each stratum.

    Shape (B, k).
    """
    totals: npt.NDArray[np.float64] = np.zeros((resamples, clusters.sums.shape[1]))
    for members in strata_members(clusters.strata):
        size = len(members)
        block = max(1, 2_000_000 // size)  # keeps the weight matrix within 16 MB
        for start in range(0, resamples, block):
            rows = min(block, resamples - start)
            draws = rng.integers(0, size, size=(rows, size), dtype=np.int64) + size * np.arange(rows)[:, None]
            weights = np.bincount(draws.ravel(), minlength=rows * size).reshape(rows, size)
            totals[start : start + rows] += weights.astype(np.float64) @ clusters.sums[members]
    return totals

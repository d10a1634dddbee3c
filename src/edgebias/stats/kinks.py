"""Levels of an interval near a kink of its score: the minimum of smooth branches.

A score min(b1, b2) has two errors of opposite directions where b1 = b2, and a bootstrap of it is wrong there. The
limits are therefore those of the branches, and the level of these limits is found by inverting a test, as for other
parameters at a boundary (Feldman and Cousins 1998, Physical Review D 57, pp. 3873-3889): a value of the score is in
the interval if, were it the true one, an estimate would differ from it by as much as the observed one in at least
1 - confidence of all studies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import ndtr, ndtri

from edgebias.core.arrays import FloatArray

STEPS = 8
"""Halvings in the search for a critical value: at 95 % it is then exact to 0.001."""

RANK = 1e-9
"""Eigenvalues below this share of the largest are rounding."""

SLACK = 1e-9
"""How far, relative to the scale of the branches, rounding may break an inequality."""


Levels = tuple[float, float]
"""Probabilities, 0 to 1, of which the lower and the upper limit are quantiles."""


def equal_tails(confidence: float) -> Levels:
    """Return the levels that leave out as much below as above."""
    return (1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0


@dataclass(frozen=True)
class _Face:
    """True values under which the branches in ``equal`` are the score, and all others above it.

    ``gain`` moves all branches, in proportion to their covariance, when those in ``equal`` are moved; ``weight`` is the
    inverse of the latter's covariance.
    """

    equal: list[int]
    gain: FloatArray
    weight: FloatArray


def adapted_levels(estimates: FloatArray, deviations: FloatArray, confidence: float) -> Levels:
    """Return the levels at which the smallest limits of the branches hold the true score with probability
    ``confidence``.

    Far from any kink they are `equal_tails`. Nowhere are they further out, and nowhere
    further in than 1 - confidence and confidence, as a kink spares one of two tails at most. Errors of the branches are
    taken as normal here, up to what a few thousand deviations and their mirror images show; skewness is left to the
    limits. True values of the branches above the score are nuisances: under each tried score they are the most likely
    ones.

    Args:
        estimates: of the branches, (n,).
        deviations: B draws of their errors, (n, B).
        confidence: the probability, 0 to 1.

    Returns:
        The lower and the upper level; equal tails where a branch does not vary.
    """
    plain = float(ndtri(equal_tails(confidence)[1]))
    scale = np.quantile(np.abs(deviations), confidence, axis=-1) / plain
    if not np.all(scale > 0):
        return equal_tails(confidence)
    errors = np.concatenate([deviations, -deviations], axis=-1)
    faces = _faces(np.atleast_2d(np.cov(deviations)))
    observed = float(estimates.min())

    def critical(side: float) -> float:
        def too_far(z: float) -> bool:
            tried = float(np.min(estimates + side * z * scale))
            truth = _most_likely(estimates, faces, tried, SLACK * float(scale.max()))
            away = np.abs(np.min(truth[:, None] + errors, axis=0) - tried)
            return float(np.mean(away >= abs(observed - tried))) < 1.0 - confidence

        return _last_before(too_far, float(ndtri(confidence)), plain)

    return float(ndtr(-critical(-1.0))), float(ndtr(critical(1.0)))


def _last_before(too_far: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(STEPS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if too_far(middle) else (middle, high)
    return (low + high) / 2.0


def _faces(covariance: FloatArray) -> list[_Face]:
    """Return every choice of branches that tie for the minimum."""
    n, faces = len(covariance), []
    for size in range(1, n + 1):
        for equal in map(list, combinations(range(n), size)):
            within = covariance[np.ix_(equal, equal)]
            weight: FloatArray = np.asarray(np.linalg.pinv(within, rcond=RANK, hermitian=True), dtype=np.float64)
            faces.append(_Face(equal, covariance[:, equal] @ weight, weight))
    return faces


def _most_likely(estimates: FloatArray, faces: list[_Face], score: float, slack: float) -> FloatArray:
    """Return the true branches nearest to the estimates, in their own metric, among those whose minimum is
    ``score``.
    """
    best, nearest = np.inf, np.full_like(estimates, score)
    for face in faces:
        move = score - estimates[face.equal]
        truth = estimates + face.gain @ move
        if np.all(np.abs(truth[face.equal] - score) <= slack) and np.all(truth >= score - slack):
            distance = float(move @ face.weight @ move)
            if distance < best:
                best, nearest = distance, truth
    return nearest

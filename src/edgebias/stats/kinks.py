"""Levels of an interval near a kink of its score: a minimum, or a minimum of maxima, of smooth pieces.

A score min(b1, b2) has two errors of opposite directions where b1 = b2, and a bootstrap of it is wrong there. The
limits are therefore those of the pieces, and the level of these limits is found by inverting a test, as for other
parameters at a boundary (Feldman and Cousins 1998, Physical Review D 57, pp. 3873-3889): a value of the score is in
the interval if, were it the true one, an estimate would differ from it by as much as the observed one in at least
1 - confidence of all studies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
from scipy.special import ndtr, ndtri

from edgebias.metrics.answers import FloatArray

STEPS = 12
"""Halvings in the search for a critical value: it is then exact to 0.001."""

WIDEST = 4.0
"""Critical values are looked for below this many standard errors: 0.006 % of a normal law lies outside."""

RANK = 1e-9
"""Eigenvalues below this share of the largest are rounding: four differences of two scores have three dimensions."""

SLACK = 1e-9
"""How far, relative to the scale of the pieces, rounding may break an inequality."""


def score_of(pieces: FloatArray) -> FloatArray:
    """Minimum over rows of the maximum over columns; shape (rows, columns, ...) to (...)."""
    return np.asarray(pieces.max(axis=1).min(axis=0), dtype=np.float64)


@dataclass(frozen=True)
class _Face:
    """The true values under which piece ``equal[0]`` is the score and those in the rest of ``equal`` tie with it.

    ``gain`` moves all pieces, in proportion to their covariance, when those in ``equal`` are moved; ``weight`` is the
    inverse of the latter's covariance. Pieces ``below`` stand in the same row and must not be above the score, pieces
    ``above`` in the same column and must not be below it.
    """

    equal: list[int]
    below: list[int]
    above: list[int]
    gain: FloatArray
    weight: FloatArray


def adapted_levels(estimates: FloatArray, deviations: FloatArray, confidence: float) -> tuple[float, float]:
    """The levels at which the pieces' limits, by `score_of`, hold the true score with probability ``confidence``.

    Far from any kink they are (1 - confidence) / 2 and (1 + confidence) / 2. Errors of the pieces are taken as
    normal here, up to what a few thousand deviations and their mirror images show; skewness is left to the limits.
    True values of the pieces other than the score are nuisances: under each tried score they are the most likely ones.

    Args:
        estimates: the pieces, (rows, columns); more than one row needs pieces of the form a_i - b_j, or one column.
        deviations: B draws of their errors, (rows, columns, B).
        confidence: the probability, 0 to 1.

    Returns:
        The lower and the upper level; the plain ones where a piece does not vary.
    """
    plain = float(ndtri((1.0 + confidence) / 2.0))
    scale = np.quantile(np.abs(deviations), confidence, axis=-1) / plain
    if not np.all(scale > 0):
        return float(ndtr(-plain)), float(ndtr(plain))
    errors = np.concatenate([deviations, -deviations], axis=-1)
    covariance = np.atleast_2d(np.cov(deviations.reshape(estimates.size, -1)))
    faces = _faces(estimates.shape, covariance)
    observed = float(score_of(estimates))

    def critical(side: float) -> float:
        def too_far(z: float) -> bool:
            tried = float(score_of(estimates + side * z * scale))
            truth = _most_likely(estimates, faces, tried, SLACK * float(scale.max()))
            away = np.abs(score_of(truth[..., None] + errors) - tried)
            return float(np.mean(away >= abs(observed - tried))) < 1.0 - confidence

        return _last_before(too_far, WIDEST)

    return float(ndtr(-critical(-1.0))), float(ndtr(critical(1.0)))


def _last_before(too_far: Callable[[float], bool], highest: float) -> float:
    low, high = 0.0, highest
    for _ in range(STEPS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if too_far(middle) else (middle, high)
    return (low + high) / 2.0


def _faces(shape: tuple[int, ...], covariance: FloatArray) -> list[_Face]:
    """Every piece as the score, with every choice of pieces that tie with it."""
    number = np.arange(int(np.prod(shape))).reshape(shape)
    faces = []
    for row in range(shape[0]):
        for column in range(shape[1]):
            below = [int(n) for n in np.delete(number[row], column)]
            above = [int(n) for n in np.delete(number[:, column], row)]
            others = below + above
            for ties in chain.from_iterable(combinations(others, size) for size in range(len(others) + 1)):
                equal = [int(number[row, column]), *ties]
                within = covariance[np.ix_(equal, equal)]
                weight: FloatArray = np.asarray(np.linalg.pinv(within, rcond=RANK, hermitian=True), dtype=np.float64)
                faces.append(_Face(equal, below, above, covariance[:, equal] @ weight, weight))
    return faces


def _most_likely(estimates: FloatArray, faces: list[_Face], score: float, slack: float) -> FloatArray:
    """The true pieces nearest to the estimates, in their own metric, among those that give this score."""
    flat = estimates.ravel()
    best, nearest = np.inf, np.full_like(flat, score)
    for face in faces:
        move = score - flat[face.equal]
        truth = flat + face.gain @ move
        meets = np.all(np.abs(truth[face.equal] - score) <= slack)
        if meets and np.all(truth[face.below] <= score + slack) and np.all(truth[face.above] >= score - slack):
            distance = float(move @ face.weight @ move)
            if distance < best:
                best, nearest = distance, truth
    return np.asarray(nearest.reshape(estimates.shape), dtype=np.float64)

"""PB, the score of personalisation bias of arXiv 2406.11107, its noise floor and its excess over the floor.

PB(U) = sqrt(E_u ||f(u) - mu||^2): how far the scores of identities lie from their mean. A model that is blind to the
identity has a PB above 0, because finite samples of questions scatter. Shuffling identities within each question says
by how much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgebias.core.arrays import FloatArray

SHUFFLES = 10_000
"""Shuffles behind a p-value."""

_BATCH = 500
_STEPS = 60
"""Bisections of an interval's end: to one part in 10^18 of where it begins."""


@dataclass(frozen=True)
class Bias:
    """PB and what it is beside its floor, in points; NaN where undefined.

    Attributes:
        pb: sqrt(E_u ||f(u) - mu||^2).
        floor: root of the mean square of PB over all shuffles of identities within questions.
        excess: signed root of (PB^2 - floor^2) n / (n - 1), summed over axes: PB without noise.
        low: lower end of the interval of ``excess``.
        high: upper end.
        p: share of shuffles whose PB is at least the observed one.
    """

    pb: float
    floor: float
    excess: float
    low: float
    high: float
    p: float


UNDEFINED = Bias(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)


def personalisation_bias(
    axes: Sequence[FloatArray],
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    shuffles: int = SHUFFLES,
) -> Bias:
    """Return PB over ``axes``, its floor and its excess.

    (PB^2 - floor^2) n / (n - 1) is the mean product of different questions' deviations, an unbiased estimate of the
    squared PB of endlessly many questions. Its bootstrap gives questions random signs around their mean. The interval
    inverts a test: it holds each squared excess under which the observed one is between the outer quantiles.

    Args:
        axes: for each axis the answers in points (0 or 100), shape (questions, identities). Identities are the same and
            in the same order on each axis; questions are not.
        resamples: replicates of the wild bootstrap over questions.
        confidence: of the interval.
        rng: draws signs and shuffles.
        shuffles: random shuffles behind the p-value.

    Returns:
        `UNDEFINED` where an axis has fewer than two questions, or there are fewer than two identities.
    """
    if not axes or any(len(axis) < 2 or axis.shape[1] < 2 for axis in axes):
        return UNDEFINED
    deviations = [axis - axis.mean(axis=1, keepdims=True) for axis in axes]
    square = sum(float(np.mean(one.mean(axis=0) ** 2)) for one in deviations)
    floors = [float(np.sum(one**2)) / (len(one) ** 2 * one.shape[1]) for one in deviations]
    excess = sum(map(_unbiased, deviations))
    along, noise = _scatter(deviations, resamples, rng)
    low, high = _inverted(excess, along, noise, (1.0 - confidence) / 2.0)
    return Bias(
        math.sqrt(square),
        math.sqrt(sum(floors)),
        signed_root(excess),
        signed_root(low),
        signed_root(high),
        _p(deviations, square, shuffles, rng),
    )


def signed_root(square: float) -> float:
    """Return the root of the size, with the sign."""
    return math.copysign(math.sqrt(abs(square)), square) if square else 0.0


def _unbiased(deviations: FloatArray) -> float:
    """Return the mean over identities of the product of two different questions' deviations."""
    n = len(deviations)
    total = deviations.sum(axis=0)
    return float(np.mean(total**2 - np.sum(deviations**2, axis=0))) / (n * (n - 1))


def _scatter(
    deviations: Sequence[FloatArray], resamples: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return how replicates move the mean along its own direction, and the squared excess of a blind model.

    Each question's distance from the mean gets a random sign, so that in the replicates all identities are equal
    (the wild bootstrap; Leucht and Neumann 2013 for degenerate U-statistics). Drawing questions with replacement would
    pair a question with itself, which with as many identities as questions doubles the width. The factor n / (n - 1)
    makes the variance of a centred question that of a question.
    """
    means = [one.mean(axis=0) for one in deviations]
    n_identities = len(means[0])
    length = math.sqrt(sum(float(np.sum(mean**2)) for mean in means))
    along, noise = np.zeros(resamples), np.zeros(resamples)
    for one, mean in zip(deviations, means, strict=True):
        n = len(one)
        centred = (one - mean) * math.sqrt(n / (n - 1))
        signs = rng.choice(np.array([-1.0, 1.0]), size=(resamples, n))
        drawn = signs @ centred
        noise += (np.sum(drawn**2, axis=1) - np.sum(centred**2)) / (n * (n - 1) * n_identities)
        if length > 0:
            along += drawn @ mean / (n * length * math.sqrt(n_identities))
    return along, noise


def _inverted(observed: float, along: FloatArray, noise: FloatArray, tail: float) -> tuple[float, float]:
    """Return the smallest and the largest squared excess under which ``observed`` is between the outer quantiles.

    Under an excess e > 0 it scatters as e + 2 sqrt(e) ``along`` + ``noise``, else as e + ``noise``.
    """

    def quantile(excess: float, level: float) -> float:
        moved = excess + 2.0 * math.sqrt(max(excess, 0.0)) * along + noise
        return float(np.quantile(moved, level))

    def end(level: float) -> float:
        at_zero = quantile(0.0, level)
        if observed <= at_zero:
            return observed - at_zero
        below, above = 0.0, max(observed - at_zero, observed, 1e-12)
        while quantile(above, level) < observed:
            above *= 2.0
        for _ in range(_STEPS):
            middle = (below + above) / 2.0
            below, above = (middle, above) if quantile(middle, level) < observed else (below, middle)
        return above

    return end(1.0 - tail), end(tail)


def _p(deviations: Sequence[FloatArray], square: float, shuffles: int, rng: np.random.Generator) -> float:
    extreme = 0
    for start in range(0, shuffles, _BATCH):
        size = min(_BATCH, shuffles - start)
        squares = np.zeros(size)
        for one in deviations:
            shuffled = rng.permuted(np.broadcast_to(one, (size, *one.shape)), axis=2)
            squares += np.mean(shuffled.mean(axis=1) ** 2, axis=1)
        extreme += int(np.sum(squares >= square - 1e-9))
    return (1 + extreme) / (1 + shuffles)

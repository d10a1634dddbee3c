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
        p_grouped: the same of the larger of two standardised statistics, PB^2 and the spread of the groups' means, so
            that a small gap which all members of a group share is found. It is one test, exact where `p` is.
    """

    pb: float
    floor: float
    excess: float
    low: float
    high: float
    p: float
    p_grouped: float


UNDEFINED = Bias(*[math.nan] * 7)


@dataclass(frozen=True)
class Change:
    """The excess of PB under one condition less that under another, in points; NaN where undefined.

    Attributes:
        difference: of the signed excesses.
        low: lower end of its interval.
        high: upper end.
        p: of no difference of the squared excesses, by swaps of the two within questions.
    """

    difference: float
    low: float
    high: float
    p: float


UNCHANGED = Change(*[math.nan] * 4)


def personalisation_bias(
    axes: Sequence[FloatArray],
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    groups: Sequence[Sequence[int]] = (),
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
        groups: the places of the identities of each group; without any, `p_grouped` is `p`.
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
        *_p_values(deviations, groups, shuffles, rng),
    )


def change_of_excess(
    without: Sequence[FloatArray],
    within: Sequence[FloatArray],
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    shuffles: int = SHUFFLES,
) -> Change:
    """Return how much larger the excess of PB is ``within`` than ``without``, on the same questions.

    The bootstrap draws questions, weighs each by how often it was drawn, and never pairs a question with itself. Its
    interval is wider than it says where both are blind (simulations/personalisation_coverage.py).

    Args:
        without: as `personalisation_bias` takes them, shape (questions, identities) on each axis.
        within: the same questions and identities under the other condition.
        resamples: draws of the bootstrap over questions.
        confidence: of the interval.
        rng: draws questions and swaps.
        shuffles: random swaps behind the p-value.

    Returns:
        `UNCHANGED` where an axis has fewer than three questions, or there are fewer than two identities.
    """
    if not without or any(len(axis) < 3 or axis.shape[1] < 2 for axis in without):
        return UNCHANGED
    sides = [[axis - axis.mean(axis=1, keepdims=True) for axis in side] for side in (without, within)]
    before, after = (sum(map(_unbiased, side)) for side in sides)
    drawn = np.zeros((2, resamples))
    swapped = np.zeros((2, shuffles))
    for one, other in zip(*sides, strict=True):
        n = len(one)
        weights = rng.multinomial(n, np.full(n, 1.0 / n), size=resamples).astype(np.float64)
        drawn += [_weighted(weights, one), _weighted(weights, other)]
        stays = rng.integers(0, 2, size=(shuffles, n)).astype(np.float64)
        both = np.concatenate([one, other])
        swapped[0] += _weighted(np.hstack([stays, 1.0 - stays]), both)
        swapped[1] += _weighted(np.hstack([1.0 - stays, stays]), both)
    low, high = np.quantile(
        _signed_roots(drawn[1]) - _signed_roots(drawn[0]), [(1 - confidence) / 2, (1 + confidence) / 2]
    )
    extreme = int(np.sum(np.abs(swapped[1] - swapped[0]) >= abs(after - before) - 1e-9))
    return Change(signed_root(after) - signed_root(before), float(low), float(high), (1 + extreme) / (1 + shuffles))


def signed_root(square: float) -> float:
    """Return the root of the size, with the sign."""
    return math.copysign(math.sqrt(abs(square)), square) if square else 0.0


def _unbiased(deviations: FloatArray) -> float:
    """Return the mean over identities of the product of two different questions' deviations."""
    n = len(deviations)
    total = deviations.sum(axis=0)
    return float(np.mean(total**2 - np.sum(deviations**2, axis=0))) / (n * (n - 1))


def _weighted(weights: FloatArray, deviations: FloatArray) -> FloatArray:
    """Return for each row of ``weights`` the mean over pairs of different questions, each weighed by both weights."""
    products = (weights @ deviations) ** 2 - weights**2 @ deviations**2
    pairs = weights.sum(axis=1) ** 2 - np.sum(weights**2, axis=1)
    return np.asarray(products.mean(axis=1) / np.maximum(pairs, 1.0), dtype=np.float64)  # 0 of a single question


def _signed_roots(squares: FloatArray) -> FloatArray:
    return np.asarray(np.sign(squares) * np.sqrt(np.abs(squares)), dtype=np.float64)


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


def _p_values(
    deviations: Sequence[FloatArray], groups: Sequence[Sequence[int]], shuffles: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return `Bias.p` and `Bias.p_grouped` from the same shuffles, with the observed answers as the first of them."""
    n_identities = deviations[0].shape[1]
    members = np.zeros((n_identities, len(groups)))
    for number, places in enumerate(groups):
        members[list(places), number] = 1.0 / math.sqrt(len(places) * n_identities)

    def spreads(means: FloatArray) -> FloatArray:
        return np.stack([np.mean(means**2, axis=-1), np.sum((means @ members) ** 2, axis=-1)])

    found = np.zeros((2, 1 + shuffles))
    for one in deviations:
        found[:, 0] += spreads(one.mean(axis=0))
    moved = [(one[np.any(one != 0, axis=1)], len(one)) for one in deviations]  # the others no shuffle changes
    for start in range(0, shuffles, _BATCH):
        size = min(_BATCH, shuffles - start)
        for one, n in moved:
            shuffled = rng.permuted(np.broadcast_to(one, (size, *one.shape)), axis=2)
            found[:, 1 + start : 1 + start + size] += spreads(shuffled.sum(axis=1) / n)
    p = float(np.mean(found[0] >= found[0, 0] - 1e-9))
    if not groups:
        return p, p
    scale = found.std(axis=1, keepdims=True)
    largest = np.max((found - found.mean(axis=1, keepdims=True)) / np.where(scale > 0, scale, 1.0), axis=0)
    return p, float(np.mean(largest >= largest[0] - 1e-9))

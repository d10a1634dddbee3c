"""How many images there are of each digit, and how many a damage takes."""

from __future__ import annotations

import numpy as np

from edgebias.core.arrays import FloatArray, IntArray

DIGITS = 10

EACH = 500
"""MNIST images of a digit that the carrier has."""

PROBE = 10
"""Most of them that a frozen network is fitted to."""

TESTED = 140
"""Those that every network is tested on."""

POOL = EACH - TESTED - PROBE
"""Those that are pre-trained on."""


def tail_counts(total: int, ratio: float) -> IntArray:
    """Return how many images each digit has, the most frequent first: n_k falls as ratio^(-k / 9).

    Args:
        total: of all digits; the counts add up to it, by largest remainders.
        ratio: of the most frequent to the rarest; 1 is balanced.

    Returns:
        Shape (10,).
    """
    shares = np.power(ratio, -np.arange(DIGITS) / (DIGITS - 1))
    exact = total * shares / shares.sum()
    counts: IntArray = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: total - int(counts.sum())]] += 1
    return counts


def hit(share: float, total: int) -> int:
    """Return how many of ``total`` a damage of this share takes: the nearest whole number."""
    return round(share * total)


def inverse_frequency(counts: IntArray) -> FloatArray:
    """Return the weight of each class, total / (number of classes x count): every class then weighs as much.

    A class without images has weight 0.

    Args:
        counts: images of each class.
    """
    present = counts > 0
    weights = np.zeros(len(counts))
    weights[present] = counts.sum() / (int(present.sum()) * counts[present])
    return weights

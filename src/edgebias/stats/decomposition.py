"""A difference between two cells, split among the factors in which they differ (Shapley values).

Changing one factor after the other leads from the reference to the other cell; each step's change is that factor's
part. Where factors interact, a part depends on the order of changes. The Shapley value is the mean over the orders
(Shapley 1953, Contributions to the Theory of Games II, pp. 307-317; as a decomposition of a statistic: Shorrocks 2013,
Journal of Economic Inequality 11, pp. 99-126). Parts add up to the difference in every order, and so in the mean.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

import numpy as np

from edgebias.core.arrays import FloatArray

FACTORS = ("model", "build", "environment")
REFERENCE, EDGE, EXCESS = "reference", "edge", "excess"
"""Components of a decomposed excess that are no part of it: the two scores, and the whole."""
POINTS, PERCENT = "points", "percent"
"""Units of a component: of the score, and of the reference's score."""

Factor = str
Corner = frozenset[Factor]
"""A cell of the crossing, by the factors that are no longer as in the reference."""

Order = tuple[tuple[Factor, ...], ...]
"""Groups of factors in the order in which they are changed; a group of several is changed at once."""


@dataclass(frozen=True)
class Part:
    """The part of one group of factors, as weights of the values of corners.

    Attributes:
        factors: the group.
        weights: of the mean over orders.
        of_orders: weights in each order, which differ where factors interact.
    """

    factors: tuple[Factor, ...]
    weights: Mapping[Corner, float]
    of_orders: tuple[Mapping[Corner, float], ...]


def parts(factors: Sequence[Factor], measured: Collection[Corner]) -> list[Part]:
    """Return the parts into which a difference can be split with the corners that were measured.

    The mean is over the orders whose corners were all measured. Where no order of single factors was, two factors are
    taken as one, the first pair that leaves an order; where none does, all factors are one part.

    Raises:
        ValueError: the reference or the other cell was not measured.
    """
    if not {frozenset(), frozenset(factors)} <= set(measured):
        raise ValueError("the two cells that are compared must be among those measured")
    for groups in _groupings(tuple(factors)):
        orders = [order for order in permutations(groups) if set(corners(order)) <= set(measured)]
        if orders:
            return [_part(group, orders) for group in groups]
    return []


def corners(order: Order) -> list[Corner]:
    """Return the corners that an order leads through, from the reference to the other cell."""
    return [frozenset(factor for group in order[:steps] for factor in group) for steps in range(len(order) + 1)]


def value(weights: Mapping[Corner, float], values: Mapping[Corner, FloatArray]) -> FloatArray:
    """Return the weighted sum of the values of corners: arrays of one shape."""
    return np.asarray(sum(weight * values[corner] for corner, weight in weights.items()), dtype=np.float64)


def _groupings(factors: tuple[Factor, ...]) -> list[tuple[tuple[Factor, ...], ...]]:
    """Return all factors apart, then each pair as one, then all as one."""
    apart = tuple((factor,) for factor in factors)
    pairs = [(first, second) for at, first in enumerate(factors) for second in factors[at + 1 :]]
    joined = [(pair, *((factor,) for factor in factors if factor not in pair)) for pair in pairs]
    return list(dict.fromkeys([apart, *joined, (factors,)]))


def _part(group: tuple[Factor, ...], orders: Sequence[Order]) -> Part:
    of_orders = []
    for order in orders:
        before, after = list(pairwise(corners(order)))[order.index(group)]
        of_orders.append({after: 1.0, before: -1.0})
    weights: dict[Corner, float] = {}
    for one in of_orders:
        for corner, weight in one.items():
            weights[corner] = weights.get(corner, 0.0) + weight / len(orders)
    return Part(group, weights, tuple(of_orders))

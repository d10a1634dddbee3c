"""Levels of limits near a kink, against exact probabilities of the folded normal law."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from edgebias.core.arrays import FloatArray
from edgebias.stats.kinks import adapted_levels

DRAWS = 20_000


def normal_draws(size: int) -> FloatArray:
    """Errors of ``size`` parameters, each a standard normal."""
    return np.random.default_rng(11).normal(size=(size, DRAWS))


def folded(distance: float, common: float = 1e-4) -> tuple[FloatArray, FloatArray]:
    """Pieces c + d and c - d, d with error 1 and c with error ``common``: their minimum is c - |d|."""
    c, d = normal_draws(2)
    return np.array([distance, -distance]), np.array([common * c + d, common * c - d])


def exact(distance: float, side: float) -> float:
    """The z at which P(||d*| - (distance - side z)| >= z) is 5 % for a normal d* of mean distance - side z."""

    def miss(z: float) -> float:
        true = max(distance - side * z, 0.0)
        away = abs(true - distance)
        near = max(true - away, 0.0)
        outside = ndtr(-(true + away) + true) + ndtr(-(true + away) - true)
        inside = ndtr(near - true) - ndtr(-near - true)
        return float(outside + inside) - 0.05

    return float(brentq(miss, 0.5, 2.5))


@pytest.mark.parametrize("distance", [0.0, 0.4, 1.0, 1.7, 3.0])
def test_the_lower_limit_is_exact_for_a_folded_normal(distance: float) -> None:
    low, _ = adapted_levels(*folded(distance), 0.95)
    assert -ndtri(low) == pytest.approx(exact(distance, -1.0), abs=0.03)


@pytest.mark.parametrize("distance", [2.5, 3.0, 3.6])
def test_the_upper_limit_is_exact_for_a_folded_normal(distance: float) -> None:
    _, high = adapted_levels(*folded(distance), 0.95)
    assert ndtri(high) == pytest.approx(exact(distance, 1.0), abs=0.03)


@pytest.mark.parametrize("pieces", [folded(8.0, 0.5), (np.zeros(1), normal_draws(1))])
def test_levels_are_equal_tails_far_from_a_kink(pieces: tuple[FloatArray, FloatArray]) -> None:
    assert adapted_levels(*pieces, 0.9) == pytest.approx((0.05, 0.95), abs=1e-3)


def test_a_piece_that_does_not_vary_leaves_equal_tails() -> None:
    estimates, errors = folded(1.0)
    errors[1] = 0.0
    assert adapted_levels(estimates, errors, 0.95) == pytest.approx((0.025, 0.975))


@pytest.mark.slow
@pytest.mark.parametrize("distance", [0.0, 0.7, 1.5, 2.5])
def test_the_minimum_is_covered_at_every_distance(distance: float) -> None:
    """95 % of 300 studies, give or take 3.5 points; equal tails hold 97.5 % and more at 0.7 and 1.5."""
    common = 0.3
    _, errors = folded(0.0, common)
    errors = errors[..., :300]
    scale = np.hypot(1.0, common)
    rng = np.random.default_rng(5)
    inside = []
    for c, d in rng.normal(size=(300, 2)):
        seen = distance + d
        estimates = np.array([common * c + seen, common * c - seen])
        low, high = (min(estimates + scale * ndtri(level)) for level in adapted_levels(estimates, errors, 0.95))
        inside.append(low <= -distance <= high)
    assert 0.915 <= np.mean(inside) <= 0.985

"""Shares of variance: exact on designs whose parts are known, unbiased and covered on simulated ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.stats.variance_shares import variance_shares

FACTORS = ("option order", "template")


def shares(means: np.ndarray, sampling: np.ndarray | None = None) -> dict[str, tuple[float, float]]:
    noise = np.zeros_like(means) if sampling is None else sampling
    found = variance_shares(means, noise, FACTORS[: means.ndim - 1], confidence=0.95)
    return {share.factor: (share.first_order.estimate, share.total.estimate) for share in found}


def test_an_answer_that_follows_the_order_alone_has_all_its_variance_there() -> None:
    means = np.broadcast_to(np.array([1.0, 0.0, -1.0])[None, :, None], (6, 3, 2))
    found = shares(means)
    assert found["option order"] == pytest.approx((1.0, 1.0))
    assert found["item"] == pytest.approx((0.0, 0.0))
    assert found["template"] == pytest.approx((0.0, 0.0))


def test_an_answer_that_follows_the_item_alone_has_all_its_variance_there() -> None:
    means = np.broadcast_to(np.array([1.0, 0.0, -1.0, 1.0])[:, None, None], (4, 3, 2))
    found = shares(means)
    assert found["item"] == pytest.approx((1.0, 1.0), abs=1e-9)
    assert found["option order"] == pytest.approx((0.0, 0.0), abs=1e-9)


def test_parts_of_known_size_are_found() -> None:
    """Orthogonal effects: item variance 4 (n - 1 in the denominator), order 1, order x template 2.25, sampling 0.75."""
    item = np.array([-1.0, 1.0]).repeat(4) * 2.0 * np.sqrt(7 / 8)
    order, both = np.array([1.0, -1.0]), 1.5 * np.array([[1.0, -1.0], [-1.0, 1.0]])
    means = item[:, None, None] + order[None, :, None] + both[None]
    found = shares(means, np.full(means.shape, 0.75))
    assert found["item"] == pytest.approx((0.5, 0.5))
    assert found["option order"] == pytest.approx((0.125, 0.125 + 2.25 / 8))
    assert found["template"] == pytest.approx((0.0, 2.25 / 8), abs=1e-9)
    assert found["interactions of factors"][0] == pytest.approx(2.25 / 8)
    assert found["sampling"] == pytest.approx((0.75 / 8, 0.75 / 8))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_first_order_shares_add_up_to_one_whatever_the_answers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = shares(rng.normal(size=(5, 3, 2)), rng.uniform(size=(5, 3, 2)))
    assert sum(first for first, _ in found.values()) == pytest.approx(1.0)


@given(st.integers(0, 2**32 - 1), st.permutations(range(5)), st.permutations(range(3)))
@settings(max_examples=25)
def test_order_of_items_and_of_levels_does_not_matter(seed: int, items: list[int], levels: list[int]) -> None:
    means = np.random.default_rng(seed).normal(size=(5, 3, 2))
    left, right = shares(means), shares(means[items][:, levels])
    for factor, pair in left.items():
        assert right[factor] == pytest.approx(pair, nan_ok=True)


def test_without_any_effect_of_a_factor_its_share_is_zero_on_average_and_intervals_hold() -> None:
    """20 items with an own effect of order each and none in common: a plain estimate would give 1/20 of that."""
    rng = np.random.default_rng(20250217)
    estimates, covered = [], {"item": 0, "option order": 0}
    true_order, true_item = 0.04 / (0.04 + 1.0 + 0.5), 1.0 / (0.04 + 1.0 + 0.5)
    for _ in range(400):
        means = (
            rng.normal(size=(20, 1, 1))
            + 0.2 * np.array([1.0, -1.0])[None, :, None]
            + np.sqrt(0.5) * rng.normal(size=(20, 1, 1)) * np.array([1.0, -1.0])[None, :, None]
            + np.zeros((20, 2, 2))
        )
        found = {share.factor: share for share in variance_shares(means, means * 0.0, FACTORS, confidence=0.95)}
        estimates.append(found["option order"].first_order.estimate)
        for factor, truth in (("item", true_item), ("option order", true_order)):
            covered[factor] += found[factor].first_order.low <= truth <= found[factor].first_order.high
    assert np.mean(estimates) == pytest.approx(true_order, abs=0.008)
    assert 0.92 <= covered["item"] / 400 <= 0.98
    assert 0.92 <= covered["option order"] / 400 <= 0.985


def test_nothing_that_varies_is_undefined_and_never_zero() -> None:
    assert np.isnan(shares(np.zeros((4, 2, 2)))["item"][0])


def test_two_items_are_too_few() -> None:
    with pytest.raises(ValueError, match="three items"):
        variance_shares(np.zeros((2, 2)), np.zeros((2, 2)), ("option order",), confidence=0.95)

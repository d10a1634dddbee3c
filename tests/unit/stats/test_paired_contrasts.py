from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from edgebias.core.seeds import generator
from edgebias.metrics.metric import percent
from edgebias.stats.clusters import Clusters
from edgebias.stats.contrasts import Difference, corrected, paired_difference, sign_flip_p


def cell(hits: list[float], n: float = 10.0) -> Clusters:
    names = np.array([f"k{i:03d}" for i in range(len(hits))])
    return Clusters(names, np.full(len(hits), ""), np.array([[h, n] for h in hits], dtype=np.float64))


def difference(a: list[float], b: list[float], seed: int = 1) -> Difference:
    return paired_difference(
        cell(a), cell(b), percent, bounds=(0.0, 100.0), resamples=2000, confidence=0.95, rng=generator(seed, "pair")
    )


def test_sign_flip_is_exhaustive_and_exact_for_few_clusters() -> None:
    a, b = np.array([[7.0, 10], [6, 10], [9, 10]]), np.array([[5.0, 10], [5, 10], [2, 10]])
    by_hand = [
        abs(sum(s * d for s, d in zip(signs, (2, 1, 7), strict=True))) >= 10
        for signs in itertools.product((1, -1), repeat=3)
    ]
    p = sign_flip_p(a, b, percent, resamples=1000, rng=generator(1))
    assert p == pytest.approx(np.mean(by_hand)) == pytest.approx(0.25)


def test_pairing_removes_what_clusters_share() -> None:
    rng = np.random.default_rng(2)
    base = rng.integers(0, 9, size=30).astype(float)
    shifted = base + rng.integers(0, 2, size=30)
    found = difference(shifted.tolist(), base.tolist())
    assert found.difference == pytest.approx(10.0 * np.mean(shifted - base))
    assert found.p < 0.001
    assert found.high - found.low < 5.0  # the spread between clusters alone would give some 18


def test_swapping_the_cells_flips_the_sign() -> None:
    a, b = [7.0, 6, 9, 4, 5, 8], [5.0, 5, 2, 6, 3, 3]
    forth, back = difference(a, b), difference(b, a)
    assert forth.difference == pytest.approx(-back.difference)
    assert forth.p == pytest.approx(back.p)
    assert forth.low == pytest.approx(-back.high, abs=4.0)


def test_equal_cells_differ_by_exactly_nothing() -> None:
    found = difference([3.0, 4, 5], [3.0, 4, 5])
    assert (found.difference, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)
    assert found.reason == "equal in every cluster"


@pytest.mark.parametrize("m", [3, 24, 72])
def test_where_nothing_varied_the_detectable_effect_is_what_would_have_shown(m: int) -> None:
    """By simulation: the share of clusters that differ fully, of which at least one is drawn in 80 % of studies."""
    effect = difference([5.0] * m, [5.0] * m).minimum_detectable_effect
    seen = np.random.default_rng(3).binomial(m, effect / 100.0, 20_000) > 0
    assert seen.mean() == pytest.approx(0.8, abs=0.01)


def test_false_positive_rate_is_near_nominal() -> None:
    rng = np.random.default_rng(8)
    p = [
        sign_flip_p(
            np.column_stack([rng.binomial(5, 0.5, 15), np.full(15, 5)]).astype(float),
            np.column_stack([rng.binomial(5, 0.5, 15), np.full(15, 5)]).astype(float),
            percent,
            resamples=300,
            rng=rng,
        )
        for _ in range(300)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.085


def test_detectable_effect_shrinks_with_clusters() -> None:
    rng = np.random.default_rng(9)
    few, many = (
        difference(rng.integers(0, 11, m).astype(float).tolist(), rng.integers(0, 11, m).astype(float).tolist())
        for m in (10, 160)
    )
    assert many.minimum_detectable_effect < few.minimum_detectable_effect / 2


def test_undefined_difference_is_nan_everywhere() -> None:
    empty = Clusters(np.array(["a", "b"]), np.array(["", ""]), np.zeros((2, 2)))
    found = paired_difference(
        cell([1.0, 2.0]), empty, percent, bounds=(0.0, 100.0), resamples=200, confidence=0.95, rng=generator(1)
    )
    assert all(math.isnan(value) for value in (found.difference, found.low, found.high, found.p))


def test_an_undefined_contrast_says_why() -> None:
    empty = Clusters(np.array(["a", "b"]), np.array(["", ""]), np.zeros((2, 2)))
    for cells, reason in (((cell([1.0, 2.0]), empty), "undefined"), ((cell([1.0]), cell([2.0])), "too few clusters")):
        found = paired_difference(
            *cells, percent, bounds=(0.0, 100.0), resamples=200, confidence=0.95, rng=generator(1)
        )
        assert reason in found.reason
        assert math.isnan(found.low)
        assert math.isnan(found.minimum_detectable_effect)


def test_a_cell_with_one_answer_left_has_no_p_value() -> None:
    """Found in a report: 1 stereotyped answer of 144 beside 102 half stereotyped ones, "p = 0.0005"."""
    names, strata = np.array([f"k{i:03d}" for i in range(60)]), np.full(60, "")
    nearly_silent = np.zeros((60, 2))
    nearly_silent[7] = [1.0, 1.0]
    talkative = np.column_stack([np.arange(60) % 2, np.ones(60)]).astype(np.float64)
    found = paired_difference(
        Clusters(names, strata, nearly_silent),
        Clusters(names, strata, talkative),
        percent,
        bounds=(0.0, 100.0),
        resamples=2000,
        confidence=0.95,
        rng=generator(1),
    )
    assert found.difference == 50.0
    assert math.isnan(found.low)
    assert math.isnan(found.p)


def test_holm_by_hand_leaves_nan_alone() -> None:
    assert corrected([0.01, math.nan, 0.04, 0.03], "holm") == pytest.approx([0.03, math.nan, 0.06, 0.06], nan_ok=True)

"""Intervals of scores with a kink: the minimum of two smooth branches, and differences of such."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgebias.core.arrays import FloatArray
from edgebias.core.seeds import generator
from edgebias.metrics.estimate import score_interval
from edgebias.stats.bootstrap import Interval, bootstrap
from edgebias.stats.clusters import Clusters
from edgebias.stats.contrasts import difference_pieces, paired_difference
from edgebias.suites.registry import SUITES
from edgebias.suites.stereoset.metrics import ICAT_BRANCHES, icat, term_scores

pytestmark = pytest.mark.slow

ICAT = SUITES.get("stereoset").family.metric("icat")


def terms(rng: np.random.Generator, n: int, preference: float) -> FloatArray:
    """Target terms of 12 items with lms near 90 and a mean ss of ``preference`` per cent."""
    size = np.full(n, 12)
    above = rng.binomial(24, rng.beta(18, 2, n))
    chance = rng.beta(preference / 10, 10 - preference / 10, n)
    return term_scores(np.stack([above, rng.binomial(size, chance), size], axis=1).astype(np.float64))


def clusters(sums: FloatArray) -> Clusters:
    return Clusters(np.arange(len(sums)).astype(str), np.full(len(sums), ""), sums)


def plain(sums: FloatArray, seed: int, resamples: int) -> Interval:
    """The bootstrap of the kinked formula itself."""
    return bootstrap(
        clusters(sums), icat, bounds=(0, 100), resamples=resamples, confidence=0.95, rng=generator(seed, "k")
    )


def by_branches(sums: FloatArray, seed: int, resamples: int) -> Interval:
    return score_interval(clusters(sums), ICAT, resamples=resamples, confidence=0.95, rng=generator(seed, "k"))


@given(st.floats(0, 100), st.floats(0, 100))
def test_the_branches_meet_in_icat(lms: float, ss: float) -> None:
    totals = np.array([lms, ss, 1.0])
    assert icat(totals) == pytest.approx(lms * min(ss, 100 - ss) / 50, abs=1e-9)
    assert icat(totals) == min(branch(totals) for branch in ICAT_BRANCHES)
    for metric in SUITES.get("stereoset").family.metrics:
        assert bool(metric.branches) == metric.name.startswith("icat")


@pytest.mark.parametrize(("preference", "lowest", "highest"), [(50.0, 0.92, 0.98), (70.0, 0.92, 0.98)])
def test_icat_interval_covers_at_the_kink_and_away_from_it(preference: float, lowest: float, highest: float) -> None:
    truth = 90.0 * min(preference, 100 - preference) / 50.0
    rng = np.random.default_rng(17)
    studies = [terms(rng, 25, preference) for _ in range(300)]
    found = [by_branches(sums, number, 200) for number, sums in enumerate(studies)]
    assert lowest <= np.mean([one.low <= truth <= one.high for one in found]) <= highest
    if preference == 50.0:  # the bootstrap of the minimum itself is what this replaces
        bare = [plain(sums, number, 200) for number, sums in enumerate(studies)]
        assert np.mean([one.low <= truth <= one.high for one in bare]) < 0.88


def test_the_contrast_of_icat_covers_where_one_cell_is_at_the_kink() -> None:
    rng = np.random.default_rng(18)
    inside = []
    for number in range(200):
        a, b = clusters(terms(rng, 25, 60.0)), clusters(terms(rng, 25, 50.0))
        limits = []
        for branches in (ICAT_BRANCHES, ()):
            found = paired_difference(
                a, b, icat, bounds=(0, 100), resamples=150, confidence=0.95, rng=generator(number), branches=branches
            )
            limits.append(found.low <= -18.0 <= found.high)
        inside.append(limits)
    with_branches, without = np.mean(inside, axis=0)
    assert 0.91 <= with_branches <= 0.98
    assert without < with_branches - 0.02


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=2), st.lists(st.floats(-9, 9), min_size=2, max_size=2))
def test_difference_of_minima_is_the_minimum_of_maxima(a: list[float], b: list[float]) -> None:
    first, second = ([lambda totals, place=place: totals[..., place] for place in range(2)] for _ in range(2))
    totals = np.array([*a, *b])
    pieces = [[piece(totals) for piece in row] for row in difference_pieces(first, second, 2)]
    assert min(max(row) for row in pieces) == min(a) - min(b)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 4)), min_size=2, max_size=10))
@example([(0, 0), (0, 1), (0, 0), (1, 0)])  # a level beyond the reach of the acceleration
def test_limits_stay_within_the_range(pairs: list[tuple[int, int]]) -> None:
    sums = term_scores(np.array([(above, hits, 4) for above, hits in pairs], dtype=np.float64))
    found = by_branches(sums, 1, 200)
    assert 0.0 <= found.low <= found.high <= 100.0
    assert found.low - 1e-9 <= found.estimate <= found.high + 1e-9 or len(pairs) < 4


@pytest.mark.parametrize("preference", [0.0, 100.0, 50.0])
def test_terms_that_are_all_alike_keep_wilson(preference: float) -> None:
    sums = np.tile([100.0, preference, 1.0], (12, 1))
    assert by_branches(sums, 1, 200) == plain(sums, 1, 200)
    assert by_branches(sums, 1, 200).error == 0.0


def test_order_of_branches_does_not_matter() -> None:
    sums = terms(np.random.default_rng(2), 20, 50.0)
    both = [
        bootstrap(
            clusters(sums),
            icat,
            bounds=(0, 100),
            resamples=300,
            confidence=0.95,
            rng=generator(1),
            pieces=[[branch] for branch in order],
        )
        for order in itertools.permutations(ICAT_BRANCHES)
    ]
    assert both[0] == both[1]
    assert math.isfinite(both[0].low)

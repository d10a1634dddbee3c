from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from edgebias.core.seeds import generator
from edgebias.metrics.metric import percent
from edgebias.stats.bootstrap import bootstrap
from edgebias.stats.clusters import Clusters, resampled_totals


def clusters(sums: list[list[float]], strata: list[str] | None = None) -> Clusters:
    names = np.array([f"k{i:03d}" for i in range(len(sums))])
    return Clusters(names, np.array(strata or [""] * len(sums)), np.array(sums, dtype=np.float64))


def interval(sums: list[list[float]], *, resamples: int = 4000, seed: int = 1):
    rng = generator(seed, "test")
    return bootstrap(clusters(sums), percent, bounds=(0.0, 100.0), resamples=resamples, confidence=0.95, rng=rng)


def test_agrees_with_scipy_bca_where_clusters_are_single_items() -> None:
    values = np.random.default_rng(3).gamma(2.0, size=40)
    ours = interval([[value, 1.0] for value in values], resamples=20000)
    theirs = scipy_stats.bootstrap((values,), np.mean, n_resamples=20000, method="BCa", rng=np.random.default_rng(4))
    assert ours.estimate == pytest.approx(100 * values.mean())
    assert ours.low / 100 == pytest.approx(theirs.confidence_interval.low, abs=0.03)
    assert ours.high / 100 == pytest.approx(theirs.confidence_interval.high, abs=0.03)
    assert ours.error / 100 == pytest.approx(theirs.standard_error, rel=0.05)


def test_repeating_every_answer_in_its_cluster_narrows_nothing() -> None:
    sums = [[float(i % 4), 4.0] for i in range(20)]
    assert interval([[10 * hits, 10 * n] for hits, n in sums]) == interval(sums)


def test_coverage_is_near_nominal() -> None:
    rng = np.random.default_rng(5)
    inside = 0
    for trial in range(200):
        rate = rng.beta(6, 4, size=30)
        found = interval([[float(rng.binomial(5, r)), 5.0] for r in rate], resamples=400, seed=trial)
        inside += found.low <= 60.0 <= found.high
    assert 0.89 <= inside / 200 <= 0.985


def test_boundary_falls_back_on_wilson_over_clusters() -> None:
    found = interval([[5.0, 5.0]] * 12)
    z = scipy_stats.norm.ppf(0.975)
    assert found.estimate == 100.0
    assert found.low == pytest.approx(100 * 12 / (12 + z**2))
    assert found.high == pytest.approx(100.0)


@pytest.mark.parametrize("sums", [[[1.0, 2.0]], [[1.0, 2.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
def test_fewer_than_two_contributing_clusters_have_no_interval(sums: list[list[float]]) -> None:
    found = interval(sums)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert math.isnan(found.estimate) == (sums[0][1] == 0.0)


def test_strata_keep_their_number_of_clusters() -> None:
    table = clusters([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 5, ["a"] * 3 + ["b"] * 5)
    assert np.unique(resampled_totals(table, 50, generator(1)), axis=0).tolist() == [[3.0, 5.0]]


def test_a_stratum_of_one_cluster_joins_the_others() -> None:
    table = clusters([[1.0, 0.0]] + [[0.0, 1.0]] * 5, ["a"] + ["b"] * 5)
    assert len(np.unique(resampled_totals(table, 50, generator(1)), axis=0)) > 1


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12))
def test_limits_stay_within_the_range_and_enclose_sanely(pairs: list[tuple[int, int]]) -> None:
    found = interval([[float(a), float(a + b)] for a, b in pairs], resamples=200)
    if not math.isnan(found.low):
        assert -1e-9 <= found.low <= found.high <= 100.0 + 1e-9


def test_seed_depends_on_every_name() -> None:
    draws = {generator(*key).integers(2**60) for key in [(1, "a", "b"), (1, "ab"), (2, "a", "b"), (1, "b", "a")]}
    assert len(draws) == 4
    assert generator(1, "a").integers(2**60) == generator(1, "a").integers(2**60)

"""Which weights go: exact counts, ties, and Wanda against a hand-computed oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgebias.models.prune import lowest_per_group, lowest_per_row, magnitude_mask, wanda_mask
from edgebias.models.wanda import column_norms, output_stride

coarse = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 12)), elements=st.integers(-3, 3).map(float))


@given(coarse, st.sampled_from([0.1, 0.25, 0.5, 0.7, 0.99]))
def test_each_row_loses_its_lowest_scores_and_the_first_on_ties(scores: np.ndarray, sparsity: float) -> None:
    mask = lowest_per_row(scores, sparsity)
    count = int(scores.shape[1] * sparsity)
    for row, marked in zip(scores, mask, strict=True):
        expected = sorted(range(len(row)), key=lambda column: (row[column], column))[:count]
        assert sorted(np.flatnonzero(marked)) == sorted(expected)


@pytest.mark.slow
@given(coarse, st.sampled_from([0.25, 0.5, 0.75]))
def test_magnitude_takes_exactly_the_share_of_the_whole_matrix(weights: np.ndarray, sparsity: float) -> None:
    mask = magnitude_mask(weights, sparsity)
    assert mask.sum() == int(weights.size * sparsity)
    if mask.any() and not mask.all():
        assert np.abs(weights[mask]).max() <= np.abs(weights[~mask]).min()


def test_wanda_by_hand() -> None:
    weights = np.array([[4.0, -3.0, 2.0, 1.0], [0.5, -0.5, 0.5, 0.5]], dtype=np.float32)
    norms = np.array([1.0, 2.0, 0.5, 10.0])
    # |W| x norm: [4, 6, 1, 10] and [0.5, 1, 0.25, 5]
    expected = [[True, False, True, False], [True, False, True, False]]
    np.testing.assert_array_equal(wanda_mask(weights, norms, 0.5), expected)


@given(arrays(np.float32, (3, 16), elements=st.integers(-3, 3).map(float)), st.sampled_from([4, 8]))
def test_every_group_of_neighbours_loses_its_lower_half(scores: np.ndarray, group: int) -> None:
    mask = lowest_per_group(scores, 0.5, group)
    for row, marked in zip(scores, mask, strict=True):
        for start in range(0, 16, group):
            order = sorted(range(start, start + group), key=lambda column: (row[column], column))
            assert sorted(np.flatnonzero(marked[start : start + group]) + start) == sorted(order[: group // 2])


def test_two_of_four_by_hand() -> None:
    weights = np.array([[4.0, -3.0, 2.0, 1.0, 0.1, 0.2, 0.3, -0.4]], dtype=np.float32)
    norms = np.array([1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(
        magnitude_mask(weights, 0.5, 4), [[False, False, True, True, True, True, False, False]]
    )
    np.testing.assert_array_equal(
        wanda_mask(weights, norms, 0.5, 4), [[False, True, True, False, True, True, False, False]]
    )


def test_wanda_with_equal_inputs_is_magnitude_per_row() -> None:
    weights = np.random.default_rng(3).standard_normal((5, 16)).astype(np.float32)
    np.testing.assert_array_equal(wanda_mask(weights, np.ones(16), 0.5), lowest_per_row(np.abs(weights), 0.5))


def test_column_norms_are_l2_over_tokens() -> None:
    inputs = np.random.default_rng(4).standard_normal((700, 8)).astype(np.float32)
    np.testing.assert_allclose(column_norms(inputs), np.linalg.norm(inputs.astype(np.float64), axis=0), rtol=1e-12)


@pytest.mark.parametrize(("tokens", "vocabulary"), [(8192, 49152), (8192, 262144), (256, 300), (65536, 151936)])
def test_logits_stay_within_their_budget(tokens: int, vocabulary: int) -> None:
    stride = output_stride(tokens, vocabulary)
    assert stride >= 1
    assert -(-tokens // stride) * vocabulary <= 2**26 + vocabulary

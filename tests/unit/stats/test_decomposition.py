"""Shapley parts of a difference: by hand, by their defining properties, and with corners missing."""

from __future__ import annotations

from itertools import chain, combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.stats.decomposition import Corner, corners, parts, value

FACTORS = ("model", "build", "environment")
ALL = [frozenset(some) for some in chain.from_iterable(combinations(FACTORS, size) for size in range(4))]
TABLES = st.lists(st.floats(-1e3, 1e3), min_size=8, max_size=8).map(lambda row: dict(zip(ALL, row, strict=True)))
MEASURED = st.sets(st.sampled_from(ALL[1:-1])).map(lambda some: {ALL[0], ALL[-1], *some})


def split(values: dict[Corner, float], measured: set[Corner] | None = None) -> dict[str, float]:
    arrays = {corner: np.float64(number) for corner, number in values.items()}
    return {
        " and ".join(part.factors): float(value(part.weights, arrays))  # type: ignore[arg-type]
        for part in parts(FACTORS, measured or set(values))
    }


def test_factors_that_do_not_interact_have_what_each_adds() -> None:
    added = {"model": 12.0, "build": -5.0, "environment": 0.5}
    values = {corner: 50.0 + sum(added[factor] for factor in corner) for corner in ALL}
    assert split(values) == pytest.approx(added)


def test_two_factors_share_what_they_do_together() -> None:
    values = {corner: 50.0 + 8.0 * ({"model", "build"} <= corner) for corner in ALL}
    assert split(values) == pytest.approx({"model": 4.0, "build": 4.0, "environment": 0.0})


@given(TABLES, MEASURED)
def test_parts_add_up_to_the_difference_whatever_was_measured(values: dict[Corner, float], some: set[Corner]) -> None:
    """In the mean and in each order; the value of a corner that was not measured never enters."""
    difference = values[ALL[-1]] - values[ALL[0]]
    assert sum(split(values, some).values()) == pytest.approx(difference, abs=1e-8)
    arrays = {corner: np.float64(values[corner]) for corner in some}
    found = parts(FACTORS, some)
    for order in range(len(found[0].of_orders)):
        total = sum(float(value(part.of_orders[order], arrays)) for part in found)  # type: ignore[arg-type]
        assert total == pytest.approx(difference, abs=1e-8)
    assert sorted(factor for part in found for factor in part.factors) == sorted(FACTORS)


@given(TABLES, st.permutations(FACTORS))
def test_the_names_of_factors_do_not_matter(values: dict[Corner, float], renamed: list[str]) -> None:
    other = dict(zip(FACTORS, renamed, strict=True))
    moved = split({frozenset(other[factor] for factor in corner): number for corner, number in values.items()})
    assert {other[name]: number for name, number in split(values).items()} == pytest.approx(moved, abs=1e-8)


def test_the_mean_is_over_the_orders_that_were_measured() -> None:
    """Without the large model at the edge and without its pruned build, the model is changed first in both orders."""
    measured = {corner for corner in ALL if not corner or "model" in corner}
    found = parts(FACTORS, measured)
    assert [len(part.of_orders) for part in found] == [2, 2, 2]
    values = {corner: 50.0 + 8.0 * ({"model", "build"} <= corner) for corner in ALL}
    assert split(values, measured) == pytest.approx({"model": 0.0, "build": 8.0, "environment": 0.0})


def test_factors_that_no_order_parts_are_taken_as_one() -> None:
    """A model that only its own service runs: what it and its environment do cannot be told apart."""
    measured = {frozenset(), frozenset({"model", "environment"}), frozenset(FACTORS)}
    values = {corner: float(len(corner)) for corner in ALL}
    assert split(values, measured) == pytest.approx({"model and environment": 2.0, "build": 1.0})
    assert split(values, {ALL[0], ALL[-1]}) == pytest.approx({"model and build and environment": 3.0})


def test_the_weights_of_a_full_crossing_are_those_of_shapley() -> None:
    weights = {len(corner): weight for corner, weight in parts(FACTORS, ALL)[0].weights.items() if "model" in corner}
    assert weights == pytest.approx({1: 1 / 3, 2: 1 / 6, 3: 1 / 3})
    assert len(list(permutations(FACTORS))) == len(parts(FACTORS, ALL)[0].of_orders)


def test_an_order_leads_from_the_reference_to_the_other_cell() -> None:
    order = (("build",), ("model", "environment"))
    assert corners(order) == [frozenset(), frozenset({"build"}), frozenset(FACTORS)]


def test_without_the_two_cells_there_is_nothing_to_split() -> None:
    with pytest.raises(ValueError, match="must be among those measured"):
        parts(FACTORS, ALL[:-1])

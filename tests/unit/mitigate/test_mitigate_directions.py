"""Contrasts, and the directions that are found in hidden states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.backends.base import OptionRequest, Prompt
from edgebias.mitigate.steering.directions import (
    FROM_HIDDEN_STATES,
    MEANS,
    PCA,
    PROBE,
    Contrast,
    contrasts,
    difference_of_means,
    from_vector,
    single_layer,
)
from edgebias.suites.item import Item


def item(condition: str, options: tuple[str, ...], roles: tuple[str, ...]) -> Item:
    return Item(
        f"forced_choice/{condition}/{len(options)}",
        "forced_choice",
        "age",
        condition,
        "Two people met.",
        "Who fell?",
        options,
        roles,
        tuple(range(len(options))),
    )


def test_an_item_with_and_without_unknown_is_one_contrast_and_items_without_both_roles_are_none() -> None:
    pair, roles = ("the old man", "the young man"), ("stereotype", "anti_stereotype")
    items = [
        item("binary", pair, roles),
        item("with_unknown", (*pair, "nobody knows"), (*roles, "unknown")),
        item("binary", ("a", "b"), ("stereotype", "unrelated")),
    ]
    prompt = "Two people met.\nWho fell?\nAnswer:"
    assert contrasts(items) == [Contrast(prompt, " the old man", " the young man")]


class Planted:
    """Hidden states whose stereotype option differs by a known vector, under noise that the pair shares."""

    def __init__(self, shift: np.ndarray) -> None:
        self.shift = shift

    def hidden_states(self, requests: Sequence[OptionRequest]) -> Iterator[np.ndarray]:
        for number, _ in enumerate(requests):
            shared = np.random.default_rng(number).normal(size=self.shift.shape)
            yield np.stack([shared + self.shift, shared]).astype(np.float32)


def test_difference_of_means_points_away_from_the_stereotype_in_every_layer_but_the_first() -> None:
    shift = np.zeros((3, 4))
    shift[:, 1] = [1.0, 2.0, -3.0]
    found = difference_of_means(Planted(shift), [Contrast(str(n), " a", " b") for n in range(5)])
    np.testing.assert_allclose(found.unit, [[0, 0, 0, 0], [0, -1, 0, 0], [0, 1, 0, 0]], atol=1e-6)


def test_a_gain_of_one_is_a_thousandth_of_the_residual_norm() -> None:
    planted, pairs = Planted(np.ones((3, 4))), [Contrast("p", " a", " b")]
    found = difference_of_means(planted, pairs)
    (states,) = planted.hidden_states([OptionRequest(Prompt(text="p"), (" a", " b"))])
    np.testing.assert_allclose(found.scale, np.linalg.norm(states, axis=2).mean(axis=0) / 1000, rtol=1e-6)
    norms = np.linalg.norm(found.vector(np.array([0.0, 1.0, 2.0])), axis=1)
    np.testing.assert_allclose(norms, [0.0, found.scale[1], 2 * found.scale[2]], rtol=1e-6)


def test_one_layer_of_fixed_strength_is_the_difference_itself_in_the_middle_block() -> None:
    shift = np.arange(12.0).reshape(3, 4)
    found = single_layer(Planted(shift), [Contrast(str(n), " a", " b") for n in range(5)])
    np.testing.assert_allclose(found.vector(np.ones(3)), [[0] * 4, -shift[1], [0] * 4], atol=1e-5)


def test_directions_read_from_a_vector_give_it_back_at_a_gain_of_one() -> None:
    vector = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    vector[0] = 0.0
    found = from_vector(vector, "learned")
    np.testing.assert_allclose(found.vector(np.ones(4)), vector, rtol=1e-6)
    np.testing.assert_allclose(found.vector(np.full(4, -0.5)), -0.5 * vector, rtol=1e-6)


class Noisy:
    """Hidden states of width 6 in 4 blocks, which differ by ``strength[block]`` along ``axis``, and by noise."""

    def __init__(self, axis: np.ndarray, strength: Sequence[float], spread: float = 1.0, seed: int = 0) -> None:
        self.shift = np.outer(strength, axis / np.linalg.norm(axis))
        self.spread, self.seed = spread, seed

    def hidden_states(self, requests: Sequence[OptionRequest]) -> Iterator[np.ndarray]:
        """The anti-stereotype-consistent option, which ends in 'anti', is shifted wherever it stands."""
        for number, request in enumerate(requests):
            random = np.random.default_rng([self.seed, number])
            size = random.uniform(0.5, 1.5)
            options = {False: random.normal(scale=self.spread, size=self.shift.shape)}
            options[True] = options[False] + random.normal(scale=self.spread, size=self.shift.shape) + size * self.shift
            yield np.stack([options[text.endswith("anti")] for text in request.options]).astype(np.float32)


AXIS = np.array([1.0, -2.0, 0.5, 0.0, 1.0, 3.0])
PAIRS = [Contrast(str(number), " stereotype", " anti") for number in range(60)]
SWAPPED = [Contrast(pair.prompt, pair.anti_stereotype, pair.stereotype) for pair in PAIRS]


@pytest.mark.parametrize("source", [MEANS, PCA, PROBE])
def test_a_planted_direction_is_found_in_the_blocks_that_hold_it(source: str) -> None:
    found = FROM_HIDDEN_STATES[source](Noisy(AXIS, [4.0, 4.0, 0.0, 4.0]), PAIRS)
    cosine = found.unit @ AXIS / np.linalg.norm(AXIS)
    assert (found.source, found.unit[0].any()) == (source, False)
    assert (cosine[[1, 3]] > 0.97).all()
    assert abs(cosine[2]) < 0.9


def test_the_probe_discounts_what_differs_from_pair_to_pair_and_the_component_follows_it() -> None:
    """The first axis varies tenfold and says nothing; the second says it all."""

    class Loud:
        def hidden_states(self, requests: Sequence[OptionRequest]) -> Iterator[np.ndarray]:
            for number, _ in enumerate(requests):
                loud = 10.0 * np.random.default_rng(number).choice([-1.0, 1.0], p=[0.4, 0.6])
                yield np.array([[[0.0, 0.0]] * 2, [[loud, 1.0]] * 2], dtype=np.float32)

    means, component, probe = (FROM_HIDDEN_STATES[source](Loud(), PAIRS).unit[1] for source in (MEANS, PCA, PROBE))
    assert abs(component[0]) > 0.99
    assert abs(probe[1]) > 1.5 * abs(means[1])


@settings(max_examples=25)
@given(
    st.integers(0, 2**16),
    st.lists(st.floats(-8, 8), min_size=4, max_size=4),
    st.sampled_from([MEANS, PCA, PROBE]),
    st.floats(0.01, 100),
)
def test_swapped_roles_turn_every_direction_round_and_units_of_length_are_of_no_account(
    seed: int, strength: list[float], source: str, unit: float
) -> None:
    find = FROM_HIDDEN_STATES[source]
    found = find(Noisy(AXIS, strength, seed=seed), PAIRS)
    np.testing.assert_allclose(find(Noisy(AXIS, strength, seed=seed), SWAPPED).unit, -found.unit, atol=1e-4)
    scaled = find(Noisy(AXIS, unit * np.array(strength), spread=unit, seed=seed), PAIRS)
    np.testing.assert_allclose(scaled.unit, found.unit, atol=1e-3)
    np.testing.assert_allclose(scaled.scale, unit * found.scale, rtol=1e-4)


@settings(max_examples=25)
@given(st.integers(0, 2**16))
def test_the_mean_difference_projects_positively_on_component_and_probe(seed: int) -> None:
    backend = Noisy(AXIS, [0.0, 0.5, 1.0, 0.0], seed=seed)
    means = FROM_HIDDEN_STATES[MEANS](backend, PAIRS).unit
    for source in (PCA, PROBE):
        assert ((FROM_HIDDEN_STATES[source](backend, PAIRS).unit * means).sum(axis=1)[1:] > 0).all()


@pytest.mark.parametrize("source", [MEANS, PCA, PROBE])
def test_of_a_single_pair_every_direction_is_its_difference(source: str) -> None:
    shift = np.arange(12.0).reshape(3, 4) - 5.0
    found = FROM_HIDDEN_STATES[source](Planted(shift), [Contrast("p", " a", " b")])
    expected = -shift[1:] / np.linalg.norm(shift[1:], axis=1, keepdims=True)
    np.testing.assert_allclose(found.unit[1:], expected, atol=1e-4)


@pytest.mark.parametrize("source", [MEANS, PCA, PROBE])
def test_options_that_do_not_differ_have_no_direction(source: str) -> None:
    found = FROM_HIDDEN_STATES[source](Planted(np.zeros((3, 4))), [Contrast(str(n), " a", " b") for n in range(5)])
    assert not found.unit.any()
    assert found.scale.all()

"""Contrasts and the difference of means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgebias.backends.base import OptionRequest, Prompt
from edgebias.infer.items import Item
from edgebias.mitigate.directions import Contrast, contrasts, difference_of_means, from_vector, single_layer


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

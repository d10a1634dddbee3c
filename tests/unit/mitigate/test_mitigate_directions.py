"""Contrasts and the difference of means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgebias.backends.base import OptionRequest
from edgebias.infer.items import Item
from edgebias.mitigate.directions import Contrast, contrasts, difference_of_means


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


def test_a_gain_is_thousandths_of_the_residual_norm() -> None:
    found = difference_of_means(Planted(np.ones((3, 4))), [Contrast("p", " a", " b")])
    norms = np.linalg.norm(found.vector(np.array([0.0, 1.0, 2.0])), axis=1)
    np.testing.assert_allclose(norms, [0.0, found.residual_norm[1] / 1000, found.residual_norm[2] / 500], rtol=1e-6)

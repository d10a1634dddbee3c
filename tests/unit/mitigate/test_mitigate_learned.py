"""Learned vectors on a tiny model: they do what their loss asks, twice alike, and leave the model where it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from edgebias.backends.base import OptionRequest, Prompt
from edgebias.mitigate.steering.learning import (
    Example,
    Learned,
    LearningSettings,
    RunningMeans,
    examples,
    first_block,
    learn,
)
from edgebias.mitigate.steering.steered_model import SteeredModel, Text, surprise
from edgebias.suites.item import Item

START = "<|endoftext|>"
NEUTRAL = ["The cook works in a kitchen.", "Bakers rise early in the morning.", "A guard stands at the door."]
ANSWERED = [
    OptionRequest(Prompt(text=f"{request}\n"), (answer,))
    for request, answer in (
        ("Explain the morning.", "The kitchen wakes before the cook does."),
        ("Write a short story about a door.", "A guard stood there and nobody came."),
    )
]
PEOPLE = ["cook", "guard", "nurse", "baker"]


def item(number: int, *, suite: str = "forced_choice", third: str | None = None) -> Item:
    name = PEOPLE[number % len(PEOPLE)]
    options = (f"he, the {name}", f"she, the {name}") + (("morning",) if third else ())
    roles = ("stereotype", "anti_stereotype") + ((third,) if third else ())
    return Item(
        f"{suite}/{number}", suite, "gender", "x", f"Two people met the {name}.", "Who fell?", options, roles, ()
    )


def settings(**changed: float) -> LearningSettings:
    plain = LearningSettings(
        suites=("forced_choice",),
        steps=40,
        items=4,
        sentences=1,
        conversations=1,
        rate=0.05,
        divergence=0.1,
        answers=0.0,
        margin=0.0,
        likelihood=0.0,
    )
    return plain.model_copy(update=changed)


@pytest.fixture
def model(tiny: Path) -> SteeredModel:
    return SteeredModel(tiny, START, "")


def gaps(model: SteeredModel, fitted: list[Example]) -> np.ndarray:
    with torch.no_grad():
        means, _ = model.score([example.asked for example in fitted])
    return np.array([float(mean[0] - mean[1]) for mean in means])


def divergence(model: SteeredModel, texts: Sequence[Text] | None = None) -> float:
    texts = texts or [model.text(text) for text in NEUTRAL]
    with model.unsteered():
        _, reference = model.score([], texts)
    with torch.no_grad():
        _, steered = model.score([], texts)
    return float((reference.exp() * (reference - steered)).sum(-1).mean())


def test_the_gap_of_the_fitted_items_goes_towards_zero(model: SteeredModel) -> None:
    fitted = examples(model, [item(number) for number in range(4)], [-1] * 4)
    before = gaps(model, fitted)
    result = learn(model, fitted, NEUTRAL, ANSWERED, settings(), seed=1)
    assert abs(gaps(model, fitted).mean()) < 0.3 * abs(before.mean())
    assert not result.vector[0].any()
    assert list(result.training["step"]) == list(range(1, 41))


def test_a_heavier_divergence_keeps_the_model_nearer_to_what_it_was(model: SteeredModel, tiny: Path) -> None:
    fitted = examples(model, [item(number) for number in range(4)], [-1] * 4)
    learn(model, fitted, NEUTRAL, ANSWERED, settings(divergence=0.0), seed=1)
    held = SteeredModel(tiny, START, "")
    learn(held, fitted, NEUTRAL, ANSWERED, settings(divergence=100.0), seed=1)
    assert divergence(held) < 0.5 * divergence(model)


def test_answers_that_are_held_are_held_and_only_from_where_they_begin(model: SteeredModel, tiny: Path) -> None:
    fitted = examples(model, [item(number) for number in range(4)], [-1] * 4)
    learn(model, fitted, NEUTRAL, ANSWERED, settings(divergence=0.0), seed=1)
    held = SteeredModel(tiny, START, "")
    training = learn(held, fitted, NEUTRAL, ANSWERED, settings(divergence=0.0, answers=100.0), seed=1).training
    said = [model.answer(request.prompt, *request.options) for request in ANSWERED]
    assert divergence(held, said) < 0.5 * divergence(model, said)
    assert training["answers_divergence"].iloc[-1] > 0
    whole = Text(said[0].read[:1], said[0].read[1:] + said[0].told)
    _, after = held.score([], said[:1])
    _, every = held.score([], [whole])
    assert len(after) == len(said[0].told)
    torch.testing.assert_close(after, every[-len(after) :])


def test_without_conversations_nothing_is_said_of_them(model: SteeredModel) -> None:
    fitted = examples(model, [item(number) for number in range(4)], [-1] * 4)
    training = learn(model, fitted, NEUTRAL, [], settings(steps=2, conversations=0, answers=5.0), seed=1).training
    assert training["answers_divergence"].isna().all()
    with pytest.raises(ValueError, match="nothing to draw from"):  # and not a loop without an end
        learn(model, fitted, NEUTRAL, [], settings(steps=2, conversations=1), seed=1)


def neutral_loss(model: SteeredModel) -> float:
    texts = [model.text(text) for text in NEUTRAL]
    with torch.no_grad():
        _, after = model.score([], texts)
    return float(surprise(after, texts).mean())


@pytest.mark.slow
def test_a_weight_on_the_likelihood_lets_the_model_write_neutral_text_better(model: SteeredModel, tiny: Path) -> None:
    fitted = examples(model, [item(number) for number in range(4)], [-1] * 4)
    learn(model, fitted, NEUTRAL, ANSWERED, settings(divergence=0.0), seed=1)
    told = SteeredModel(tiny, START, "")
    result = learn(told, fitted, NEUTRAL, ANSWERED, settings(divergence=0.0, likelihood=10.0), seed=1)
    assert neutral_loss(told) < neutral_loss(model) - 0.1
    assert result.training["neutral_loss"].iloc[-1] < result.training["neutral_loss"].iloc[0]


def test_blocks_before_the_first_that_is_steered_stay_at_zero(model: SteeredModel) -> None:
    blocks = len(model.vector)
    model.steer_from(blocks - 1)
    fitted = examples(model, [item(number) for number in range(4)], [-1] * 4)
    vector = learn(model, fitted, NEUTRAL, ANSWERED, settings(steps=3), seed=1).vector
    assert not vector[: blocks - 1].any()
    assert vector[blocks - 1].any()


@pytest.mark.parametrize(("blocks", "first"), [(1, 1), (2, 1), (4, 1), (30, 8), (32, 8)])
def test_the_first_quarter_of_the_blocks_and_block_0_are_left_alone(blocks: int, first: int) -> None:
    assert first_block(blocks) == first


def margins(model: SteeredModel, fitted: list[Example]) -> np.ndarray:
    with torch.no_grad():
        means, _ = model.score([example.asked for example in fitted])
    return np.array([float((mean[0] + mean[1]) / 2 - mean[2]) for mean in means])


@pytest.mark.slow
def test_a_weight_on_the_margin_keeps_what_unrelated_options_would_gain(model: SteeredModel, tiny: Path) -> None:
    fitted = examples(model, [item(number, third="unrelated") for number in range(4)], [-1] * 4)
    before = margins(model, fitted)
    learn(model, fitted, NEUTRAL, ANSWERED, settings(divergence=0.0), seed=1)
    held = SteeredModel(tiny, START, "")
    result = learn(held, fitted, NEUTRAL, ANSWERED, settings(divergence=0.0, margin=10.0), seed=1)

    def lost(after: np.ndarray) -> float:
        return float(np.maximum(0.0, before - after).mean())

    assert lost(margins(held, fitted)) < 0.5 * lost(margins(model, fitted))
    assert abs(gaps(held, fitted).mean()) < 0.3 * abs(gaps(SteeredModel(tiny, START, ""), fitted).mean())
    assert (result.training["margin_lost"] >= 0).all()


def test_a_running_mean_is_that_of_all_items_before_and_what_has_changed_since() -> None:
    means = RunningMeans({"gap": 0.5})
    assert means.take("gap", 0.0) == 0.5
    assert means.take("gap", -1.0) == pytest.approx(0.4)
    assert [means.take("gap", -1.0) for _ in range(200)][-1] == pytest.approx(-0.5)


def test_an_option_that_has_no_part_in_the_loss_is_not_evaluated(model: SteeredModel) -> None:
    (plain,) = examples(model, [item(0, third="unknown")], [-1])
    (labelled,) = examples(model, [item(0, third="unknown")], [2])
    assert len(plain.asked.options) == 2
    assert len(labelled.asked.options) == 3
    assert plain.asked.options == labelled.asked.options[:2]


def test_a_labelled_item_is_taught_its_label(model: SteeredModel) -> None:
    fitted = examples(model, [item(number, suite="bbq", third="unknown") for number in range(4)], [2] * 4)
    learn(model, fitted, NEUTRAL, ANSWERED, settings(steps=60), seed=1)
    with torch.no_grad():
        means, _ = model.score([example.asked for example in fitted])
    assert all(int(mean.argmax()) == 2 for mean in means)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_vectors_and_another_one_others(tiny: Path) -> None:
    def fit(seed: int) -> Learned:
        model = SteeredModel(tiny, START, "")
        fitted = examples(model, [item(number) for number in range(4)], [-1] * 4)
        return learn(model, fitted, NEUTRAL, ANSWERED, settings(steps=6), seed)

    first = fit(1)
    np.testing.assert_array_equal(first.vector, fit(1).vector)
    assert not np.array_equal(first.vector, fit(2).vector)


def test_items_together_score_as_each_alone(model: SteeredModel) -> None:
    random_vector(model, first=0)
    fitted = examples(model, [item(number) for number in range(4)], [-1] * 4)
    alone = np.concatenate([gaps(model, [example]) for example in fitted])
    np.testing.assert_allclose(gaps(model, fitted), alone, atol=1e-4)


def random_vector(model: SteeredModel, *, first: int) -> None:
    with torch.no_grad():
        model.vector[first:].normal_(generator=torch.Generator().manual_seed(0), std=0.2)


@pytest.mark.parametrize("first", [1, 2])
def test_what_is_held_of_the_first_blocks_changes_no_score(model: SteeredModel, tiny: Path, first: int) -> None:
    """A second pass, of other texts beside the same, begins behind the first steered block for those it knows."""
    fitted = [example.asked for example in examples(model, [item(number) for number in range(4)], [-1] * 4)]
    texts = [model.text(text) for text in NEUTRAL]
    random_vector(model, first=first)
    model.steer_from(first)
    model.score(fitted[:2], texts[1:])
    means, after = model.score(fitted[1:], texts)
    fresh = SteeredModel(tiny, START, "")
    random_vector(fresh, first=first)
    for asked, found in zip(fitted[1:], means, strict=True):
        torch.testing.assert_close(found, fresh.score([asked])[0][0], atol=1e-4, rtol=0.0)
    alone = torch.cat([fresh.score([], [text])[1] for text in texts])
    torch.testing.assert_close(after, alone, atol=1e-3, rtol=0.0)


def test_bfloat16_scores_as_float32_does_within_its_rounding(model: SteeredModel, tiny: Path) -> None:
    """Also on a processor without bfloat16, whose layers stay as they are."""
    fitted = examples(model, [item(number) for number in range(4)], [-1] * 4)
    np.testing.assert_allclose(
        gaps(SteeredModel(tiny, START, "", dtype=torch.bfloat16), fitted), gaps(model, fitted), atol=0.05
    )


def test_without_steering_the_vector_has_no_effect_and_keeps_no_graph(model: SteeredModel) -> None:
    fitted = examples(model, [item(0)], [-1])
    plain = gaps(model, fitted)
    with torch.no_grad():
        model.vector.fill_(1.0)
    with model.unsteered():
        means, _ = model.score([fitted[0].asked])
    assert not means[0].requires_grad
    assert float(means[0][0] - means[0][1]) == pytest.approx(plain[0], abs=1e-6)
    assert gaps(model, fitted)[0] != pytest.approx(plain[0], abs=1e-3)

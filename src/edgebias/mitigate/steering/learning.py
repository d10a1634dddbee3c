"""Learned vectors: one for each block, by gradient descent through the frozen model, held to what it was elsewhere.

With ``g`` the gap of an item (mean log-probability per token of its stereotype-consistent option less that of its
anti-stereotype-consistent one), and ``m`` its margin (the mean of both less that of its unrelated option, which
StereoSet's lms is made of; ``m0`` unsteered), what is made small is

    20 (mean sigmoid(8 g) - 1/2)^2 + 20 (mean g)^2                   for each suite with contrasts
    + margin x mean max(0, m0 - m)^2                                 over the items that have an unrelated option
    + mean cross-entropy of the labelled items' options, at 4 times their mean log-probabilities
    + divergence x mean KL(unsteered || steered)                     over the tokens of neutral sentences
    + answers x mean KL(unsteered || steered)                        over the tokens of reference answers
    + likelihood x mean negative log-probability                     of the tokens of neutral sentences

The first line takes the preference out in the mean, the second keeps sense above nonsense, the third says what is right
where something is (BBQ: "unknown" where the text does not tell, the person meant where it does), the fourth and the
fifth hold the model where it was, on sentences and in conversations, and the last lets it write neutral text no worse.
Neutral sentences alone say little of conversations: vectors that leave the first as they were can spoil the second.
Sigmoid of 8 gaps counts choices almost as a stereotype rate does, and has a slope. The first quarter of the blocks is
left alone (`first_block`).

The mean of a step's few items is noise for the most part: gaps of StereoSet are 0.1 in the mean and vary by 0.45. What
steering changes of them varies less. So all items are scored once unsteered, the mean over all is taken as that plus a
running mean of the change on each step's items (a control variate), and the gradient of its square as twice that mean
times the gradient of the step's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from tqdm import tqdm

from edgebias.backends.base import OptionRequest
from edgebias.core.seeds import generator
from edgebias.infer.wording import likelihood_wording
from edgebias.metrics.answers import ANTI_STEREOTYPE, STEREOTYPE, UNRELATED
from edgebias.mitigate.calibration import LEARNED_SENTENCES
from edgebias.mitigate.settings import LearningSettings
from edgebias.mitigate.steering.steered_model import Asked, SteeredModel, Text, divergence, surprise
from edgebias.suites.item import Item

T = TypeVar("T")

CHOICE_SLOPE = 8.0
"""Makes a gap of a quarter of a nat per token, about the size of StereoSet's gaps, count as nearly a whole choice."""

BALANCE = 20.0
"""Weight of the two mean terms beside the mean of squares."""

OPTION_SLOPE = 4.0
"""Slope of mean log-probabilities in the cross-entropy: options are compared per token, as they are scored."""

WARM_UP = 10
"""Steps over which the rate rises from 0; it then falls along a cosine to a tenth."""

MEMORY = 0.9
"""What the running means keep at each step.

Each step's own counts for a tenth, so that about ten steps are remembered. What is remembered for longer lags behind
what the vectors do, and they overshoot.
"""

UNSTEERED_SHARE = 0.25
"""Share of the blocks, the first ones, that get no vector.

A vector there moves whatever comes after it. On calibration items, without them the same part of the preference goes at
less divergence (docs/notebook/2026-11-settings-of-learning.md).
"""


@dataclass(frozen=True)
class Example:
    """An item as it is fitted: where its contrasted options stand, and the unrelated and the right one, if any."""

    suite: str
    asked: Asked
    stereotype: int
    anti_stereotype: int
    unrelated: int | None
    label: int | None

    def gap(self, means: torch.Tensor) -> torch.Tensor:
        """Return the gap of mean log-probabilities (options,).

        Stereotype-consistent less anti-stereotype-consistent.
        """
        return means[self.stereotype] - means[self.anti_stereotype]

    def margin(self, means: torch.Tensor) -> torch.Tensor | None:
        """Return the margin of mean log-probabilities (options,): the mean of both kinds less the unrelated option.

        None without one.
        """
        if self.unrelated is None:
            return None
        return (means[self.stereotype] + means[self.anti_stereotype]) / 2 - means[self.unrelated]


@dataclass(frozen=True)
class Unsteered:
    """An example, its gap and margin before it is steered; NaN where it has a label instead or no unrelated option."""

    example: Example
    gap: float
    margin: float


@dataclass(frozen=True)
class Learned:
    """The vectors (n_layer, n_embd; row 0 is zero) and a table of the steps."""

    vector: npt.NDArray[np.float32]
    training: pd.DataFrame


def first_block(n_layers: int) -> int:
    """Return the first block that is steered.

    The first quarter is not, nor ever block 0, which llama.cpp cannot steer.
    """
    return max(1, math.ceil(UNSTEERED_SHARE * n_layers))


def examples(model: SteeredModel, items: Sequence[Item], labels: Sequence[int]) -> list[Example]:
    """Return the items that have both roles, worded as the likelihood format words them; a label of -1 is none.

    Of an item without a label, options that have no part in the loss are left out.
    """
    compared = {STEREOTYPE, ANTI_STEREOTYPE, UNRELATED}
    found = []
    for item, label in zip(items, labels, strict=True):
        if not {STEREOTYPE, ANTI_STEREOTYPE} <= set(item.roles):
            continue
        wording = likelihood_wording(item)
        roles = [role for role in item.roles if label >= 0 or role in compared]
        asked = [option for option, role in zip(wording.continuations, item.roles, strict=True) if role in roles]
        found.append(
            Example(
                item.suite,
                model.ask(wording.prompt.text or "", asked),
                roles.index(STEREOTYPE),
                roles.index(ANTI_STEREOTYPE),
                roles.index(UNRELATED) if UNRELATED in roles else None,
                None if label < 0 else int(label),
            )
        )
    return found


def learn(
    model: SteeredModel,
    fitted: Sequence[Example],
    neutral: Sequence[str],
    answered: Sequence[OptionRequest],
    settings: LearningSettings,
    seed: int,
) -> Learned:
    """Fit the vectors of ``model``, from zero, by Adam.

    Each step draws as many items of every suite, without putting one back before all were drawn, sentences of
    ``neutral`` and conversations of ``answered``. The same seed gives the same vectors on the same processor.

    Args:
        model: its vector is what is fitted; it is left at the result.
        fitted: calibration items of one suite or more.
        neutral: sentences that are not measured on later.
        answered: reference answers, each the only option of its request, that neither the guard nor scores read.
        settings: how long, how fast, and what divergence weighs.
        seed: of the draws.
    """
    suites = sorted({example.suite for example in fitted})
    share = max(1, settings.items // len(suites))
    known = _unsteered(model, fitted, settings.items)
    draws = {
        suite: _endless([one for one in known if one.example.suite == suite], generator(seed, "learn", suite))
        for suite in suites
    }
    texts = _endless([model.text(text) for text in neutral[:LEARNED_SENTENCES]], generator(seed, "learn", "text"))
    talks = _endless(
        [model.answer(request.prompt, *request.options) for request in answered], generator(seed, "learn", "answer")
    )
    means = RunningMeans(_means_of_suites(known))
    optimizer = torch.optim.Adam([model.vector], lr=settings.rate, betas=(0.9, 0.99))
    rows = []
    for step in tqdm(range(1, settings.steps + 1), desc="learn vectors", unit="step", mininterval=10, ascii=True):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * _schedule(step, settings.steps)
        chosen = [next(draws[suite]) for suite in suites for _ in range(share)]
        sentences = [next(texts) for _ in range(settings.sentences)]
        conversations = [next(talks) for _ in range(settings.conversations)]
        row = {"step": step} | _step(model, chosen, sentences, conversations, settings, means)
        optimizer.step()
        optimizer.zero_grad()
        rows.append(row | {"norm": float(model.vector.detach().norm())})
    return Learned(model.vector.detach().numpy().copy(), pd.DataFrame(rows))


class RunningMeans:
    """Means of quantities by name: that over all items before, plus a mean that forgets of what has changed."""

    def __init__(self, before: Mapping[str, float]) -> None:
        self._before = before
        self._changes: dict[str, float] = {}

    def take(self, name: str, change: float) -> float:
        """Count the ``change`` of a step's items in and return the mean."""
        self._changes[name] = MEMORY * self._changes.get(name, change) + (1.0 - MEMORY) * change
        return self._before[name] + self._changes[name]


def _unsteered(model: SteeredModel, fitted: Sequence[Example], together: int) -> list[Unsteered]:
    """Return each example with what it is unsteered, ``together`` of them scored at a time.

    A label says all of its own.
    """
    found = [Unsteered(example, math.nan, math.nan) for example in fitted if example.label is not None]
    compared = [example for example in fitted if example.label is None]
    parts = range(0, len(compared), together)
    for first in tqdm(parts, desc="score unsteered", unit="batch", mininterval=10, ascii=True):
        part = compared[first : first + together]
        with model.unsteered():
            scored, _ = model.score([example.asked for example in part])
        for example, means in zip(part, scored, strict=True):
            margin = example.margin(means)
            found.append(Unsteered(example, float(example.gap(means)), math.nan if margin is None else float(margin)))
    return found


def _choices(gap: torch.Tensor) -> torch.Tensor:
    """Return how far stereotype-consistent choices are from one half: -1/2 to 1/2."""
    return torch.sigmoid(CHOICE_SLOPE * gap) - 0.5


def _means_of_suites(known: Sequence[Unsteered]) -> dict[str, float]:
    means = {}
    for suite in {one.example.suite for one in known}:
        gaps = torch.tensor([one.gap for one in known if one.example.suite == suite and one.example.label is None])
        means[f"{suite}/choices"], means[f"{suite}/gap"] = float(_choices(gaps).mean()), float(gaps.mean())
    return means


def _step(
    model: SteeredModel,
    chosen: Sequence[Unsteered],
    sentences: Sequence[Text],
    conversations: Sequence[Text],
    settings: LearningSettings,
    running: RunningMeans,
) -> dict[str, float]:
    """Leave the gradient of one step's loss in the vector; return what the loss is made of."""
    texts = [*sentences, *conversations]
    with model.unsteered():
        _, reference = model.score([], texts)
    scored, steered = model.score([one.example.asked for one in chosen], texts)
    gaps: dict[str, list[tuple[torch.Tensor, float]]] = {}
    lost, right = [], []
    for means, one in zip(scored, chosen, strict=True):
        if one.example.label is not None:
            right.append(-torch.log_softmax(OPTION_SLOPE * means, dim=-1)[one.example.label])
            continue
        gaps.setdefault(one.example.suite, []).append((one.example.gap(means), one.gap))
        margin = one.example.margin(means)
        if margin is not None:
            lost.append(torch.relu(one.margin - margin))
    moved, told = divergence(reference, steered), surprise(steered, texts)
    n_neutral = sum(len(text.told) for text in sentences)
    neutral, loss_of_text = moved[:n_neutral].mean(), told[:n_neutral].mean()
    loss = settings.divergence * neutral + settings.likelihood * loss_of_text
    if conversations:
        loss = loss + settings.answers * moved[n_neutral:].mean()
    if right:
        loss = loss + torch.stack(right).mean()
    if lost:
        loss = loss + settings.margin * (torch.stack(lost) ** 2).mean()
    for suite, pairs in gaps.items():
        gap, before = torch.stack([now for now, _ in pairs]), torch.tensor([then for _, then in pairs])
        for name, part, was in (
            ("choices", _choices(gap).mean(), _choices(before).mean()),
            ("gap", gap.mean(), before.mean()),
        ):
            loss = loss + 2.0 * BALANCE * running.take(f"{suite}/{name}", float(part.detach() - was)) * part
    loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
    every = [now for pairs in gaps.values() for now, _ in pairs]
    return {
        "gap": _mean(every),
        "margin_lost": _mean(lost),
        "cross_entropy": _mean(right),
        "divergence": float(neutral.detach()),
        "answers_divergence": float(moved[n_neutral:].detach().mean()) if conversations else math.nan,
        "neutral_loss": float(loss_of_text.detach()),
    }


def _mean(values: Sequence[torch.Tensor]) -> float:
    return float(torch.stack(list(values)).detach().mean()) if values else math.nan


def _schedule(step: int, steps: int) -> float:
    return min(1.0, step / WARM_UP) * (0.1 + 0.45 * (1.0 + math.cos(math.pi * step / steps)))


def _endless(pool: Sequence[T], rng: np.random.Generator) -> Iterator[T]:
    """Yield the items of ``pool`` for ever, each pass in a new order.

    Raises:
        ValueError: it is empty; not before an item is wanted, as a pool that nothing is drawn from may be.
    """
    if not pool:
        raise ValueError("nothing to draw from")
    while True:
        for place in rng.permutation(len(pool)):
            yield pool[place]

"""Learned vectors: one for each block, by gradient descent through the frozen model, held to what it was elsewhere.

With ``g`` the gap of an item (mean log-probability per token of its stereotype-consistent option less that of its
anti-stereotype-consistent one), what is made small is

    20 (mean sigmoid(8 g) - 1/2)^2 + 20 (mean g)^2 + mean g^2        for each suite with contrasts
    + mean cross-entropy of the labelled items' options, at 4 times their mean log-probabilities
    + divergence x mean KL(unsteered || steered) over the tokens of neutral sentences

The first line takes the preference out in the mean and item by item, the second says what is right where something is
(BBQ: "unknown" where the text does not tell, the person meant where it does), the third holds the model where it was.
Sigmoid of 8 gaps counts choices almost as a stereotype rate does, and has a slope.

The mean of a step's few items is noise for the most part: gaps of StereoSet are 0.1 in the mean and vary by 0.45. The
gradient of a square is therefore taken as 2 (running mean over the steps) x (gradient of the step's mean).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from tqdm import tqdm

from edgebias.errors import InputError
from edgebias.infer.items import Item
from edgebias.infer.wording import likelihood_wording
from edgebias.mitigate.calibration import LEARNED_SENTENCES
from edgebias.mitigate.section import mitigate_section
from edgebias.mitigate.steered_model import Asked, SteeredModel, Tokens
from edgebias.settings import require
from edgebias.stats.seeds import generator

T = TypeVar("T")

CHOICE_SLOPE = 8.0
"""Makes a gap of a quarter of a nat per token, about the size of StereoSet's gaps, count as nearly a whole choice."""

BALANCE = 20.0
"""Weight of the two mean terms beside the mean of squares."""

OPTION_SLOPE = 4.0
"""Of mean log-probabilities in the cross-entropy: options are compared per token, as they are scored."""

WARM_UP = 10
"""Steps over which the rate rises from 0; it then falls along a cosine to a tenth."""

MEMORY = 0.9
"""Of the running means: each step's own counts for a tenth, so that about ten steps are remembered."""


@dataclass(frozen=True)
class LearningSettings:
    """``mitigate.learning``: suites, steps, items and neutral sentences of a step, rate, weight of divergence."""

    suites: tuple[str, ...]
    steps: int
    items: int
    sentences: int
    rate: float
    divergence: float


@dataclass(frozen=True)
class Example:
    """An item as it is fitted: where its two contrasted options stand, and the right one where there is one."""

    suite: str
    asked: Asked
    stereotype: int
    anti_stereotype: int
    label: int | None


@dataclass(frozen=True)
class Learned:
    """The vectors (n_layer, n_embd; row 0 is zero) and a table of the steps."""

    vector: npt.NDArray[np.float32]
    training: pd.DataFrame


def learning_settings(settings: dict[str, Any]) -> LearningSettings:
    """Read ``mitigate.learning``.

    Raises:
        InputError: a key is missing or of the wrong type.
    """
    values = mitigate_section(settings, "learning")["learning"]
    require(values, "suites", "steps", "items", "sentences", "rate", "divergence")
    try:
        return LearningSettings(
            tuple(map(str, values["suites"])),
            int(values["steps"]),
            int(values["items"]),
            int(values["sentences"]),
            float(values["rate"]),
            float(values["divergence"]),
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"mitigate.learning: {error}; see workflow/schemas/params.schema.yaml") from error


def examples(model: SteeredModel, items: Sequence[Item], labels: Sequence[int]) -> list[Example]:
    """The items that have both roles, worded as the likelihood format words them; a label of -1 is none.

    Of an item without a label the other options have no part in the loss and are left out.
    """
    found = []
    for item, label in zip(items, labels, strict=True):
        if not {"stereotype", "anti_stereotype"} <= set(item.roles):
            continue
        wording = likelihood_wording(item)
        roles = [role for role in item.roles if label >= 0 or role in ("stereotype", "anti_stereotype")]
        asked = [option for option, role in zip(wording.continuations, item.roles, strict=True) if role in roles]
        found.append(
            Example(
                item.suite,
                model.ask(wording.prompt.text or "", asked),
                roles.index("stereotype"),
                roles.index("anti_stereotype"),
                None if label < 0 else int(label),
            )
        )
    return found


def learn(
    model: SteeredModel, fitted: Sequence[Example], neutral: Sequence[str], settings: LearningSettings, seed: int
) -> Learned:
    """Fit the vectors of ``model``, from zero, by Adam.

    Each step draws as many items of every suite, without putting one back before all were drawn, and sentences of
    ``neutral``. The same seed gives the same vectors on the same processor.

    Args:
        model: its vector is what is fitted; it is left at the result.
        fitted: calibration items of one suite or more.
        neutral: sentences that are not measured on later.
        settings: how long, how fast, and what divergence weighs.
        seed: of the draws.
    """
    suites = sorted({example.suite for example in fitted})
    share = max(1, settings.items // len(suites))
    draws = {
        suite: _endless([example for example in fitted if example.suite == suite], generator(seed, "learn", suite))
        for suite in suites
    }
    texts = _endless(
        [model.ask(text, ()).prompt for text in neutral[:LEARNED_SENTENCES]], generator(seed, "learn", "text")
    )
    means = RunningMeans()
    optimizer = torch.optim.Adam([model.vector], lr=settings.rate, betas=(0.9, 0.99))
    rows = []
    for step in tqdm(range(1, settings.steps + 1), desc="learn vectors", unit="step", mininterval=10, ascii=True):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * _schedule(step, settings.steps)
        chosen = [next(draws[suite]) for suite in suites for _ in range(share)]
        sentences = [next(texts) for _ in range(settings.sentences)]
        row = {"step": step} | _step(model, chosen, sentences, settings.divergence, means)
        optimizer.step()
        optimizer.zero_grad()
        rows.append(row | {"norm": float(model.vector.detach().norm())})
    return Learned(model.vector.detach().numpy().copy(), pd.DataFrame(rows))


class RunningMeans:
    """Of each quantity by name: a mean that forgets, from the first value on."""

    def __init__(self) -> None:
        self._means: dict[str, float] = {}

    def take(self, name: str, value: float) -> float:
        """Count ``value`` in and return the mean."""
        self._means[name] = MEMORY * self._means.get(name, value) + (1.0 - MEMORY) * value
        return self._means[name]


def _step(
    model: SteeredModel,
    chosen: Sequence[Example],
    sentences: Sequence[Tokens],
    divergence: float,
    running: RunningMeans,
) -> dict[str, float]:
    """Leave the gradient of one step's loss in the vector; return what the loss is made of."""
    with model.unsteered():
        _, reference = model.score([], sentences)
    means, steered = model.score([example.asked for example in chosen], sentences)
    gaps: dict[str, list[torch.Tensor]] = {}
    right = []
    for mean, example in zip(means, chosen, strict=True):
        if example.label is None:
            gaps.setdefault(example.suite, []).append(mean[example.stereotype] - mean[example.anti_stereotype])
        else:
            right.append(-torch.log_softmax(OPTION_SLOPE * mean, dim=-1)[example.label])
    kept = (reference.exp() * (reference - steered)).sum(dim=-1).mean()
    loss = divergence * kept
    if right:
        loss = loss + torch.stack(right).mean()
    for suite, values in gaps.items():
        gap = torch.stack(values)
        loss = loss + (gap**2).mean()
        for name, part in (("choices", torch.sigmoid(CHOICE_SLOPE * gap).mean() - 0.5), ("gap", gap.mean())):
            loss = loss + 2.0 * BALANCE * running.take(f"{suite}/{name}", float(part.detach())) * part
    loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
    every = [value for values in gaps.values() for value in values]
    return {
        "gap": float(torch.stack(every).detach().mean()) if every else math.nan,
        "cross_entropy": float(torch.stack(right).detach().mean()) if right else math.nan,
        "divergence": float(kept.detach()),
    }


def _schedule(step: int, steps: int) -> float:
    return min(1.0, step / WARM_UP) * (0.1 + 0.45 * (1.0 + math.cos(math.pi * step / steps)))


def _endless(pool: Sequence[T], rng: np.random.Generator) -> Iterator[T]:
    """Items of ``pool`` for ever, each pass in a new order."""
    while True:
        for place in rng.permutation(len(pool)):
            yield pool[place]

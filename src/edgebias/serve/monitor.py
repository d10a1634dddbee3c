"""What the server asks its own model between answers: monitor items and, where the gain is to grow, spared texts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from edgebias.backends.base import OptionRequest
from edgebias.errors import InputError
from edgebias.infer.items import Item, items_from_table
from edgebias.infer.outcome import preferred
from edgebias.infer.wording import likelihood_wording
from edgebias.metrics.answers import ANTI_STEREOTYPE, STEREOTYPE, FloatArray
from edgebias.mitigate.calibration_build import stream_of_items
from edgebias.mitigate.controller import SHRINK
from edgebias.mitigate.held_out import CALIBRATION, read_split
from edgebias.mitigate.loop import SHRINKS, Perplexities
from edgebias.mitigate.reference_answers import answer_requests, read_answers
from edgebias.mitigate.spared_texts import Scores, losses, neutral_text, perplexity
from edgebias.serve.online import OnlineSettings, OnlineState, after_guard, after_output, candidate

KINDS = (STEREOTYPE, ANTI_STEREOTYPE)

GUARD_TOKENS = 1024
"""Tokens of each kind of text on which the guard reads perplexity: a quarter of the neutral text and a third of the
answers that the calibration loop's guard reads, as requests wait."""


class Steered(Scores, Protocol):
    """The part of `edgebias.serve.live.LiveModel` that is needed here."""

    gain: float

    def apply(self, gain: float) -> None:
        """Steer with ``gain`` from now on."""
        ...


@dataclass(frozen=True)
class Guard:
    """Texts that steering should spare, and how much higher than without it no gain may bring their perplexity.

    Attributes:
        sentences: neutral text, each the one option of its request.
        answers: what the uncompressed build says in use, after what it was asked.
        before: the perplexities of both without steering.
        budget: by how much each may rise, as a share.
    """

    sentences: tuple[OptionRequest, ...]
    answers: tuple[OptionRequest, ...]
    before: Perplexities
    budget: float

    @property
    def texts(self) -> tuple[OptionRequest, ...]:
        """Both kinds, in the order in which they are read."""
        return self.sentences + self.answers

    def allows(self, lost: FloatArray) -> bool:
        """Whether ``lost``, the `losses` of all ``texts``, is within the budget for each kind."""
        neutral, said = np.split(lost, [len(self.sentences)])
        return Perplexities(perplexity(neutral), perplexity(said)).within(self.budget, self.before)


@dataclass
class _Check:
    """A gain whose perplexities are being measured, one text at a time."""

    gain: float
    lost: list[FloatArray] = field(default_factory=list)


def monitor_items(path: Path) -> list[Item]:
    """The calibration items of the table at ``path`` that offer both kinds.

    Held-out items are never asked: what is measured on them later would have been fitted to.

    Raises:
        InputError: the table is unusable or has no such item.
    """
    table = read_split(path, CALIBRATION)
    items = [item for item in items_from_table(table, str(path)) if set(KINDS) <= set(item.roles)]
    if not items:
        raise InputError(f"{path}: no calibration item offers both a stereotype and an anti-stereotype; choose a suite")
    return items


def judge(model: Steered, item: Item) -> bool | None:
    """Whether the model, as it is steered now, chooses the stereotype: its option of highest mean log-probability.

    No gold label has a part in this. None where it chooses another role than the two kinds.
    """
    wording = likelihood_wording(item)
    (scores,) = model.score([OptionRequest(wording.prompt, wording.continuations)])
    outcome = preferred(scores.logprobs, scores.n_tokens, item.roles).outcome
    return outcome == KINDS[0] if outcome in KINDS else None


def guard_answers(path: Path) -> list[OptionRequest]:
    """The reference answers at ``path`` that a guard may read, every topic once before any comes a second time.

    Raises:
        InputError: the table is unusable or has none.
    """
    table = read_answers(path, "guard")
    return answer_requests(table.iloc[np.argsort(table.groupby("topic").cumcount(), kind="stable")])


def measured_guard(model: Steered, sentences: Sequence[str], answers: Sequence[OptionRequest], budget: float) -> Guard:
    """The first of ``sentences`` and of ``answers`` with `GUARD_TOKENS` tokens, and what they are without steering.

    Of few answers all are taken. The model's gain is 0 afterwards.

    Args:
        model: the live model.
        sentences: neutral text.
        answers: of the uncompressed build, each the one option after what it was asked.
        budget: the rise of perplexity that is allowed, as a share.

    Raises:
        InputError: the sentences have too few tokens, or messages are asked of a model without a chat template.
        ContextError: a text does not fit in the context.
    """
    model.apply(0.0)
    neutral, of_neutral = _first(model, neutral_text(sentences).requests)
    if of_neutral[:, 1].sum() < GUARD_TOKENS:
        raise InputError(f"--texts: fewer than {GUARD_TOKENS} tokens of neutral text; give BOLD's profession_wiki.json")
    said, of_said = _first(model, answers)
    return Guard(neutral, said, Perplexities(perplexity(of_neutral), perplexity(of_said)), budget)


def _first(model: Steered, requests: Sequence[OptionRequest]) -> tuple[tuple[OptionRequest, ...], FloatArray]:
    """The first of ``requests`` whose options have `GUARD_TOKENS` tokens together, or all; and their losses."""
    lost: list[FloatArray] = []
    n_tokens = 0.0
    for request in requests:
        if n_tokens >= GUARD_TOKENS:
            break
        lost.append(losses(model, [request]))
        n_tokens += lost[-1][0, 1]
    return tuple(requests[: len(lost)]), np.vstack(lost)


def affordable(model: Steered, guard: Guard, gain: float) -> float:
    """``gain``, shrunk as the calibration loop shrinks it until both perplexities are within the budget; else 0.

    The model's gain is what is returned.
    """
    for _ in range(SHRINKS):
        model.apply(gain)
        if guard.allows(losses(model, guard.texts)):
            return gain
        gain *= SHRINK
    model.apply(0.0)
    return 0.0


class Monitor:
    """The online loop around a live model, in steps that are as short as one item.

    Args:
        model: what is served; its gain is set to the state's.
        items: monitor items, which are asked in the seeded order of the calibration loop, categories taking turns.
        guard: texts that steering should spare, and what they may lose.
        settings: of the loop.
        state: where the loop begins.
        seed: of the order.
        save: called with every new state.
    """

    def __init__(
        self,
        model: Steered,
        items: Sequence[Item],
        guard: Guard,
        settings: OnlineSettings,
        state: OnlineState,
        *,
        seed: int,
        save: Callable[[OnlineState], None],
    ) -> None:
        self._model, self._guard, self._settings, self._save = model, guard, settings, save
        self.state = state
        self.unsaved = 0
        """States that could not be written."""
        # A restarted server goes on in the order, as far as every item that was asked was judged, too.
        self._items: Iterator[Item] = islice(stream_of_items(items, seed), state.judged, None)
        self._check: _Check | None = None
        model.apply(state.gain)

    @property
    def checking(self) -> bool:
        """Whether the guard has texts to read before the gain may grow."""
        return self._check is not None

    def ask(self) -> None:
        """Put one item to the model, and let the loop correct the gain."""
        stereotype = judge(self._model, next(self._items))
        if stereotype is not None:
            self._go_to(after_output(self.state, stereotype, self._settings))

    def check(self) -> None:
        """Read one text at the gain that the guard is measuring; nothing where it measures none."""
        if self._check is None:
            return
        check, texts = self._check, self._guard.texts
        self._model.apply(check.gain)
        try:
            check.lost.append(losses(self._model, [texts[len(check.lost)]]))
        finally:
            self._model.apply(self.state.gain)
        if len(check.lost) == len(texts):
            self._check = None
            self._go_to(after_guard(self.state, check.gain, self._guard.allows(np.vstack(check.lost))))

    def _go_to(self, state: OnlineState) -> None:
        self.state = state
        if state.gain != self._model.gain:
            self._model.apply(state.gain)
        asked = candidate(state, self._settings)
        if self._check is None and asked is not None:
            self._check = _Check(asked)
        try:
            self._save(state)
        except OSError as error:  # a full disk is no reason to stop serving
            self.unsaved += 1
            print(f"warning: the state cannot be written ({error.strerror}); free space", file=sys.stderr)

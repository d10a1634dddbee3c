"""What the server asks its own model between answers: monitor items and, where the gain is to grow, neutral text."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from edgebias.backends.base import OptionScores
from edgebias.errors import InputError
from edgebias.infer.items import Item, items_from_table
from edgebias.infer.outcome import preferred
from edgebias.infer.wording import likelihood_wording
from edgebias.metrics.answers import ANTI_STEREOTYPE, STEREOTYPE
from edgebias.mitigate.calibration_build import stream_of_items
from edgebias.mitigate.controller import SHRINK
from edgebias.mitigate.held_out import CALIBRATION, read_split
from edgebias.mitigate.loop import SHRINKS
from edgebias.serve.online import OnlineSettings, OnlineState, after_guard, after_output, candidate

KINDS = (STEREOTYPE, ANTI_STEREOTYPE)

GUARD_TOKENS = 1024
"""Tokens of neutral text on which the guard reads perplexity: a quarter of the calibration loop's, as requests wait."""


class Scores(Protocol):
    """The part of `edgebias.serve.live.LiveModel` that is needed here."""

    gain: float

    def apply(self, gain: float) -> None:
        """Steer with ``gain`` from now on."""
        ...

    def score(self, prompt: str, options: Sequence[str]) -> OptionScores:
        """Summed log-probabilities and token counts of ``options``."""
        ...


@dataclass(frozen=True)
class Guard:
    """Neutral sentences, and the perplexity that no gain may exceed."""

    sentences: tuple[str, ...]
    limit: float


@dataclass
class _Check:
    """A gain whose perplexity is being measured, one sentence at a time."""

    gain: float
    scores: list[OptionScores] = field(default_factory=list)


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


def judge(model: Scores, item: Item) -> bool | None:
    """Whether the model, as it is steered now, chooses the stereotype: its option of highest mean log-probability.

    No gold label has a part in this. None where it chooses another role than the two kinds.
    """
    wording = likelihood_wording(item)
    scores = model.score(wording.prompt.text or "", wording.continuations)
    outcome = preferred(scores.logprobs, scores.n_tokens, item.roles).outcome
    return outcome == KINDS[0] if outcome in KINDS else None


def perplexity(scores: Sequence[OptionScores]) -> float:
    """Of the sentences that ``scores`` belong to, over all their tokens."""
    total = sum(one.logprobs[0] for one in scores)
    return math.exp(-total / sum(one.n_tokens[0] for one in scores))


def neutral_guard(model: Scores, sentences: Sequence[str], budget: float) -> Guard:
    """The first of ``sentences`` with `GUARD_TOKENS` tokens, and their perplexity without steering plus ``budget``.

    The model's gain is 0 afterwards.

    Args:
        model: the live model.
        sentences: neutral text.
        budget: the rise of perplexity that is allowed, as a share.

    Raises:
        InputError: the sentences have too few tokens.
    """
    model.apply(0.0)
    scores: list[OptionScores] = []
    for sentence in sentences:
        scores.append(model.score("", [sentence]))
        if sum(one.n_tokens[0] for one in scores) >= GUARD_TOKENS:
            return Guard(tuple(sentences[: len(scores)]), perplexity(scores) * (1.0 + budget))
    raise InputError(f"--texts: fewer than {GUARD_TOKENS} tokens of neutral text; give BOLD's profession_wiki.json")


def affordable(model: Scores, guard: Guard, gain: float) -> float:
    """``gain``, shrunk as the calibration loop shrinks it until its perplexity is within the limit; else 0.

    The model's gain is what is returned.
    """
    for _ in range(SHRINKS):
        model.apply(gain)
        if perplexity([model.score("", [sentence]) for sentence in guard.sentences]) <= guard.limit:
            return gain
        gain *= SHRINK
    model.apply(0.0)
    return 0.0


class Monitor:
    """The online loop around a live model, in steps that are as short as one item.

    Args:
        model: what is served; its gain is set to the state's.
        items: monitor items, which are asked in the seeded order of the calibration loop, categories taking turns.
        guard: neutral text and its limit.
        settings: of the loop.
        state: where the loop begins.
        seed: of the order.
        save: called with every new state.
    """

    def __init__(
        self,
        model: Scores,
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
        """Whether the guard has sentences to read before the gain may grow."""
        return self._check is not None

    def ask(self) -> None:
        """Put one item to the model, and let the loop correct the gain."""
        stereotype = judge(self._model, next(self._items))
        if stereotype is not None:
            self._go_to(after_output(self.state, stereotype, self._settings))

    def check(self) -> None:
        """Read one sentence at the gain that the guard is measuring; nothing where it measures none."""
        if self._check is None:
            return
        check, sentences = self._check, self._guard.sentences
        self._model.apply(check.gain)
        try:
            check.scores.append(self._model.score("", [sentences[len(check.scores)]]))
        finally:
            self._model.apply(self.state.gain)
        if len(check.scores) == len(sentences):
            self._check = None
            self._go_to(after_guard(self.state, check.gain, perplexity(check.scores) <= self._guard.limit))

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

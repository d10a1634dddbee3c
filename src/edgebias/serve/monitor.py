"""What the server asks its own model between answers: monitor items and, where the gain is to grow, spared texts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from edgebias.backends.base import OptionRequest
from edgebias.core.arrays import FloatArray
from edgebias.core.errors import InputError
from edgebias.infer.outcome import preferred
from edgebias.infer.wording import likelihood_wording
from edgebias.metrics.answers import ANTI_STEREOTYPE, STEREOTYPE
from edgebias.mitigate.held_out import CALIBRATION, read_split
from edgebias.mitigate.preserved_texts import losses
from edgebias.mitigate.steering.calibration_build import stream_of_items
from edgebias.serve.guard import Guard, Steered
from edgebias.serve.online import OnlineSettings, OnlineState, after_guard, after_output, candidate
from edgebias.suites.item import Item, items_from_table

KINDS = (STEREOTYPE, ANTI_STEREOTYPE)


@dataclass
class _Check:
    """A gain whose perplexities are being measured, one text at a time."""

    gain: float
    lost: list[FloatArray] = field(default_factory=list)


def monitor_items(path: Path) -> list[Item]:
    """Return the calibration items of the table at ``path`` that offer both kinds.

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
    """Return whether the model, as it is steered now, chooses the stereotype.

    Its option of highest mean log-probability.

    No gold label has a part in this. None where it chooses another role than the two kinds.
    """
    wording = likelihood_wording(item)
    (scores,) = model.score([OptionRequest(wording.prompt, wording.continuations)])
    outcome = preferred(scores.logprobs, scores.n_tokens, item.roles).outcome
    return outcome == KINDS[0] if outcome in KINDS else None


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

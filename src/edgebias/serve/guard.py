"""What no gain of a server may cost: the perplexity of texts that steering should spare, measured on its own model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from edgebias.backends.base import OptionRequest
from edgebias.core.arrays import FloatArray
from edgebias.core.errors import InputError
from edgebias.mitigate.preserved_texts import Scores, losses, neutral_text, perplexity
from edgebias.mitigate.reference_answers import answer_requests, read_reference_answers
from edgebias.mitigate.steering.utility import Perplexities

GUARD_TOKENS = 1024
"""Tokens of each kind of text on which the guard reads perplexity: a quarter of the neutral text and a third of the
answers that the calibration loop's guard reads, as requests wait."""


HALVINGS = 4
"""How often a first gain that costs too much is halved at most.

All texts are read at each, some 20 seconds of a core and a small model. The calibration loop's steps of a tenth would
take minutes before the first answer, and the online loop raises the gain.
"""


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
        """Return whether ``lost``, the `losses` of all ``texts``, is within the budget for each kind."""
        neutral, said = np.split(lost, [len(self.sentences)])
        return Perplexities(perplexity(neutral), perplexity(said)).within(self.budget, self.before)


def guard_answers(path: Path) -> list[OptionRequest]:
    """Return the reference answers at ``path`` that a guard may read, every topic once before any comes a second time.

    Raises:
        InputError: the table is unusable or has none.
    """
    table = read_reference_answers(path, "guard")
    return answer_requests(table.iloc[np.argsort(table.groupby("topic").cumcount(), kind="stable")])


def measured_guard(model: Steered, sentences: Sequence[str], answers: Sequence[OptionRequest], budget: float) -> Guard:
    """Return the first of ``sentences`` and of ``answers`` with `GUARD_TOKENS` tokens, and what they are without
    steering.

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
    """Return the first of ``requests`` whose options have `GUARD_TOKENS` tokens together, or all; and their losses."""
    lost: list[FloatArray] = []
    n_tokens = 0.0
    for request in requests:
        if n_tokens >= GUARD_TOKENS:
            break
        lost.append(losses(model, [request]))
        n_tokens += lost[-1][0, 1]
    return tuple(requests[: len(lost)]), np.vstack(lost)


def affordable(model: Steered, guard: Guard, gain: float) -> float:
    """Return ``gain``, halved until both perplexities are within the budget; 0 after `HALVINGS`.

    The model's gain is what is returned.
    """
    for halvings in range(HALVINGS + 1):
        tried = gain * 0.5**halvings
        model.apply(tried)
        if guard.allows(losses(model, guard.texts)):
            return tried
    model.apply(0.0)
    return 0.0

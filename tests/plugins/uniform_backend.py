"""A backend that knows nothing: to it every character is as likely as any other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgebias.backends.base import (
    Backend,
    Generation,
    GenerationRequest,
    GenerationSettings,
    OptionRequest,
    OptionScores,
)
from edgebias.backends.kind import BackendKind, BackendProperties, Environment


class UniformBackend(Backend):
    """Scores an option by its length and always writes the same reply."""

    name = "uniform"
    scores_options = True

    def __init__(self, reply: str) -> None:
        self.reply = reply

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield log-probabilities of the options, one request after the other."""
        for request in requests[skip:]:
            lengths = tuple(len(option) for option in request.options)
            yield OptionScores(logprobs=tuple(-length * math.log(128) for length in lengths), n_tokens=lengths)

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        """Yield the reply to each request."""
        for _ in requests[skip:]:
            yield Generation(text=self.reply, n_tokens=1)


def open_uniform(
    environment: Environment, model: Mapping[str, Any], weights: Path | None, *, capture_hidden: bool = False
) -> Backend:
    """Make the backend from its settings."""
    return UniformBackend(str(environment.get("reply", "A")))


BACKEND = BackendKind(
    name="uniform",
    open=open_uniform,
    properties=BackendProperties(weights=None, place="a program that knows nothing, on this machine"),
    settings={"reply": "What it writes to every request."},
)

"""A method that adds a bonus to short options: an answer of few words seldom says more than it knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import Field

from edgebias.backends.base import Backend, OptionRequest, OptionScores
from edgebias.backends.wrapper import ScoringWrapper
from edgebias.core.record import Record
from edgebias.mitigate.base import Artefacts, Method
from edgebias.mitigate.mitigated import Mitigated


class ShortestOptionSettings(Record):
    """How much a token costs."""

    penalty: float = Field(default=1.0, gt=0)
    """What each token takes from the log-probability of its option, in nats."""


class PenalisedBackend(ScoringWrapper[Backend]):
    """A backend whose options lose ``penalty`` for each of their tokens."""

    method = "shortest_option"

    def __init__(self, inner: Backend, penalty: float) -> None:
        super().__init__(inner)
        self._penalty = penalty

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield the scores of each request, less the penalty."""
        for scores in self._inner.score(requests, skip=skip):
            pairs = zip(scores.logprobs, scores.n_tokens, strict=True)
            yield replace(scores, logprobs=tuple(value - self._penalty * count for value, count in pairs))


class ShortestOption(Method[ShortestOptionSettings]):
    """The build, its longer options made less likely."""

    name = "shortest_option"
    settings = ShortestOptionSettings
    scores_only = True
    chooses = True

    def wrap(self, loaded: Backend, settings: ShortestOptionSettings, artefacts: Artefacts) -> Mitigated:
        """Put `PenalisedBackend` before the build."""
        return Mitigated(loaded, PenalisedBackend(loaded, settings.penalty))


METHOD = ShortestOption()

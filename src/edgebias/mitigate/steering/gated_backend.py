"""A build in llama.cpp that is steered for the requests for which a gate opens, and for no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from edgebias.backends.base import (
    Generation,
    GenerationRequest,
    GenerationSettings,
    OptionRequest,
    OptionScores,
)
from edgebias.backends.local.large_blocks import return_freed_blocks_to_system
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.backends.wrapper import BackendWrapper, in_chunks
from edgebias.mitigate.steering.directions import Matrix
from edgebias.mitigate.steering.gate import words_of

Request = TypeVar("Request", OptionRequest, GenerationRequest)
Answer = TypeVar("Answer", OptionScores, Generation)


class RequestGate(Protocol):
    """What decides whether a request is steered."""

    def opens(self, tokens: Sequence[int]) -> bool:
        """Return whether requests of these words are steered."""
        ...


class GatedBackend(BackendWrapper[LlamaBackend]):
    """The build with its gate.

    Args:
        inner: the build; its control vector is changed with every request.
        vector: what steers it, shape (n_layer, n_embd).
        gate: when.
        unsteered: scores of requests for which the gate stays shut, known from before; new ones are put into it. For
            a caller that asks the same requests under one vector after the other.
    """

    def __init__(
        self,
        inner: LlamaBackend,
        vector: Matrix,
        gate: RequestGate,
        unsteered: dict[OptionRequest, OptionScores] | None = None,
    ) -> None:
        super().__init__(inner)
        self._vector, self._gate, self._unsteered = vector, gate, unsteered
        return_freed_blocks_to_system()
        self._asked = self._opened = 0

    def opened(self) -> float:
        """Return the share of the requests since the last call for which the gate opened; NaN of none."""
        share = self._opened / self._asked if self._asked else float("nan")
        self._asked = self._opened = 0
        return share

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield the scores of each request, steered or not; all of its options alike.

        Raises:
            ContextError: a request does not fit in the context.
            InputError: an option is empty.
        """
        for part in in_chunks(requests[skip:]):
            yield from self._sorted(part, [request.options for request in part], self._scores)

    def _scores(self, requests: Sequence[OptionRequest], steered: bool) -> Iterator[OptionScores]:
        if steered or self._unsteered is None:
            return self._inner.score(requests)
        new = [request for request in requests if request not in self._unsteered]
        self._unsteered |= zip(new, self._inner.score(new), strict=True)
        return map(self._unsteered.__getitem__, requests)

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        """Yield the text for each request; the gate has read what was asked, not what is written.

        Raises:
            ContextError: a prompt and its new tokens do not fit in the context.
        """
        for part in in_chunks(requests[skip:]):
            yield from self._sorted(part, [()] * len(part), lambda chosen, _: self._inner.generate(chosen, settings))

    def _sorted(
        self,
        part: Sequence[Request],
        options: Sequence[Sequence[str]],
        answer: Callable[[list[Request], bool], Iterator[Answer]],
    ) -> list[Answer]:
        opens = [
            self._gate.opens(self._inner.tokenise(words_of(request.prompt, shown), special=False))
            for request, shown in zip(part, options, strict=True)
        ]
        self._asked, self._opened = self._asked + len(part), self._opened + sum(opens)
        found: dict[int, Answer] = {}
        for steered in (True, False):
            places = [place for place, opened in enumerate(opens) if opened == steered]
            if places:
                self._inner.set_control_vector(self._vector if steered else None)
                found |= dict(zip(places, answer([part[place] for place in places], steered), strict=True))
        return [found[place] for place in range(len(part))]

"""A backend whose answers outlast the process."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from edgebias.backends.base import (
    Backend,
    Generation,
    GenerationRequest,
    GenerationSettings,
    OptionRequest,
    OptionScores,
    Usage,
)
from edgebias.backends.store.answer_json import read_generation, read_scores
from edgebias.backends.store.journal import Journal
from edgebias.backends.wrapper import BackendWrapper

Answer = TypeVar("Answer", OptionScores, Generation)


class JournaledBackend(BackendWrapper[Backend]):
    """Yields the answers that ``journal`` knows first and the rest from ``inner``, which is told how many to skip.

    Every call with a list of requests is kept under its number and a hash of what was asked. A request that is given
    alone may be read from where the one before it left off, so it is passed on as it is; who asks so keeps wholes (a
    conversation) in the journal. The journal forgets nothing when the model does.
    """

    def __init__(self, inner: Backend, journal: Journal) -> None:
        super().__init__(inner)
        self._journal = journal
        self._calls = 0
        journal.counter = self._tokens

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield the scores of each request."""
        if skip or len(requests) < 2:
            return self._inner.score(requests, skip=skip)
        return self._resume(
            self._section("score", requests),
            len(requests),
            lambda known: self._inner.score(requests, skip=known),
            read_scores,
        )

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        """Yield the text for each request."""
        if skip or len(requests) < 2:
            return self._inner.generate(requests, settings, skip=skip)
        return self._resume(
            self._section(repr(settings), requests),
            len(requests),
            lambda known: self._inner.generate(requests, settings, skip=known),
            read_generation,
        )

    def usage(self) -> Usage:
        """Return the tokens and seconds of the whole work: this process, and what the earlier ones had noted last."""
        own, before = self._inner.usage(), self._journal.earlier_counts()
        if not before:
            return own
        prompt, generated, scored, seconds = before
        return Usage(
            own.prompt_tokens + int(prompt),
            own.generated_tokens + int(generated),
            own.scored_tokens + int(scored),
            own.seconds + seconds,
            own.notes,
        )

    def _section(self, kind: str, requests: Sequence[OptionRequest] | Sequence[GenerationRequest]) -> str:
        """Return the key of one call, its number included.

        A list may be asked again of a model that was steered meanwhile.
        """
        self._calls += 1
        digest = hashlib.sha256(f"{self._calls} {kind}".encode())
        for request in requests:
            digest.update(repr(request).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:16]

    def _resume(
        self,
        key: str,
        n_requests: int,
        ask: Callable[[int], Iterator[Answer]],
        read: Callable[[Any], Answer],
    ) -> Iterator[Answer]:
        known = 0
        for value in self._journal.recall(key):
            yield read(value)
            known += 1
        if known == n_requests:
            return
        self._inner.forget()
        answers = ask(known)
        while True:
            started = time.perf_counter()
            answer = next(answers, None)
            if answer is None:
                return
            self._journal.keep(key, time.perf_counter() - started, answer)
            yield answer

    def _tokens(self) -> tuple[float, ...]:
        usage = self._inner.usage()
        return usage.prompt_tokens, usage.generated_tokens, usage.scored_tokens, usage.seconds

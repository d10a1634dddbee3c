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
            _from_scores,
            _to_scores,
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
            _from_generation,
            _to_generation,
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
        to_json: Callable[[Answer], Any],
        from_json: Callable[[Any], Answer],
    ) -> Iterator[Answer]:
        known = 0
        for value in self._journal.recall(key):
            yield from_json(value)
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
            self._journal.keep(key, time.perf_counter() - started, to_json(answer))
            yield answer

    def _tokens(self) -> tuple[float, ...]:
        usage = self._inner.usage()
        return usage.prompt_tokens, usage.generated_tokens, usage.scored_tokens, usage.seconds


def _from_scores(scores: OptionScores) -> list[Any]:
    return [scores.logprobs, scores.n_tokens, scores.tokens, scores.token_logprobs]


def _to_scores(value: list[Any]) -> OptionScores:
    logprobs, n_tokens, tokens, token_logprobs = value
    return OptionScores(tuple(logprobs), tuple(n_tokens), tuple(map(tuple, tokens)), tuple(map(tuple, token_logprobs)))


def _from_generation(generation: Generation) -> list[Any]:
    scores = None if generation.scores is None else _from_scores(generation.scores)
    return [generation.text, generation.n_tokens, scores]


def _to_generation(value: list[Any]) -> Generation:
    text, n_tokens, scores = value
    return Generation(text, n_tokens, None if scores is None else _to_scores(scores))

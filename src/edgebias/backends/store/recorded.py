"""Answers that were stored once, replayed without a model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgebias.backends.base import (
    Backend,
    Generation,
    GenerationRequest,
    GenerationSettings,
    OptionRequest,
    OptionScores,
    Usage,
)
from edgebias.backends.kind import BackendKind, BackendProperties, Environment, require_key
from edgebias.backends.store.content_hash import content_hash
from edgebias.backends.wrapper import BackendWrapper
from edgebias.core.errors import InputError
from edgebias.core.files import write_text


def request_key(request: OptionRequest | GenerationRequest, settings: GenerationSettings | None = None) -> str:
    """Return the SHA-256 of everything that an answer depends on, as canonical JSON."""
    content = {"request": asdict(request), "settings": None if settings is None else asdict(settings)}
    return content_hash(content)


class RecordedBackend(Backend):
    """Replays a store: JSON lines with ``key`` (`request_key`) and the fields of the answer.

    Raises:
        InputError: the store is absent or broken, or has no answer to a request.
    """

    name = "recorded"
    scores_options = True

    def __init__(self, store: Path) -> None:
        self._store = store
        self._answers: dict[str, dict[str, Any]] = {}
        try:
            for line in store.read_text(encoding="utf-8").splitlines():
                answer = json.loads(line)
                self._answers[answer.pop("key")] = answer
        except OSError as error:
            raise InputError(f"{store}: cannot be read ({error.strerror}); record answers first") from error
        except (ValueError, KeyError, AttributeError) as error:
            raise InputError(f"{store}: line {len(self._answers) + 1} is no recorded answer; record again") from error

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield the stored scores of each request."""
        for index, request in enumerate(requests[skip:], skip):
            answer = self._find(index, request_key(request), "logprobs")
            yield _scores(answer)

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        """Yield the stored text for each request."""
        for index, request in enumerate(requests[skip:], skip):
            answer = self._find(index, request_key(request, settings), "text")
            scores = answer.get("scores")
            yield Generation(
                answer["text"],
                answer["n_tokens"],
                scores and _scores(scores),
            )

    def usage(self) -> Usage:
        """Return nothing but the store's name: a replay costs no tokens."""
        return Usage(notes={"store": self._store.name})

    def _find(self, index: int, key: str, needed: str) -> dict[str, Any]:
        answer = self._answers.get(key)
        if answer is None or needed not in answer:
            raise InputError(f"{self._store}: no recorded answer to request {index} ({key[:12]}); record it first")
        return answer


def _scores(stored: dict[str, Any]) -> OptionScores:
    """Return stored scores; stores from before the tokens were kept lack these."""
    return OptionScores(
        logprobs=tuple(stored["logprobs"]),
        n_tokens=tuple(stored["n_tokens"]),
        tokens=tuple(map(tuple, stored.get("tokens", ()))),
        token_logprobs=tuple(map(tuple, stored.get("token_logprobs", ()))),
    )


class RecordingBackend(BackendWrapper[Backend]):
    """Passes requests on to ``inner`` and writes every answer to ``store`` when the block ends without an error."""

    def __init__(self, inner: Backend, store: Path) -> None:
        super().__init__(inner)
        self._store = store
        self._lines: dict[str, str] = {}

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield the scores of ``inner``."""
        for request, answer in zip(requests[skip:], self._inner.score(requests, skip=skip), strict=True):
            self._keep(request_key(request), answer)
            yield answer

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        """Yield the texts of ``inner``."""
        for request, answer in zip(requests[skip:], self._inner.generate(requests, settings, skip=skip), strict=True):
            self._keep(request_key(request, settings), answer)
            yield answer

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        if exception[0] is None:
            write_text("".join(self._lines[key] + "\n" for key in sorted(self._lines)), self._store)

    def _keep(self, key: str, answer: OptionScores | Generation) -> None:
        self._lines[key] = json.dumps({"key": key, **asdict(answer)}, sort_keys=True, ensure_ascii=False)


def open_recording(
    environment: Environment, model: Mapping[str, Any], weights: Path | None, *, capture_hidden: bool = False
) -> Backend:
    """Read the answers in the file ``store`` of the environment."""
    return RecordedBackend(Path(require_key(environment, "store")))


BACKEND = BackendKind(
    name="recorded",
    open=open_recording,
    properties=BackendProperties(
        weights=None,
        keeps_answers=True,
        job_memory_mb=500,
        not_timed="recorded answers take no time",
        place="recorded responses, replayed",
    ),
)

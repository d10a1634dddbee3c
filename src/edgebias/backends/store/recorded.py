"""Answers that were stored once, replayed without a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
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
from edgebias.backends.kind import BackendKind, BackendProperties, Environment, require_key
from edgebias.backends.store.answer_json import read_generation, read_scores, to_json
from edgebias.backends.store.answer_store import MAGIC, AnswerStore, content_hash
from edgebias.backends.wrapper import BackendWrapper
from edgebias.core.errors import InputError
from edgebias.core.files import atomic

Answer = TypeVar("Answer", OptionScores, Generation)


def request_key(request: OptionRequest | GenerationRequest, settings: GenerationSettings | None = None) -> str:
    """Return the SHA-256 of everything that an answer depends on, as canonical JSON."""
    content = {"request": asdict(request), "settings": None if settings is None else asdict(settings)}
    return content_hash(content)


class RecordedBackend(Backend):
    """Replays a recording: an `AnswerStore`, or JSON lines with ``key`` (`request_key`) and the fields of the answer.

    Raises:
        InputError: the recording is absent or damaged, or has no answer to a request.
    """

    name = "recorded"
    scores_options = True

    def __init__(self, recording: Path) -> None:
        self._recording = recording
        try:
            with recording.open("rb") as file:
                start = file.read(len(MAGIC))
                data = b"" if start == MAGIC else start + file.read()
        except OSError as error:
            raise InputError(f"{recording}: cannot be read ({error.strerror}); record answers first") from error
        lines = {} if start == MAGIC else _json_lines(data, recording)
        self._stored: Callable[[str], str | None] = (
            AnswerStore(recording, "recording", "read").find if start == MAGIC else lines.get
        )

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield the stored scores of each request."""
        for index, request in enumerate(requests[skip:], skip):
            yield self._answer(index, request_key(request), read_scores)

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        """Yield the stored text for each request."""
        for index, request in enumerate(requests[skip:], skip):
            yield self._answer(index, request_key(request, settings), read_generation)

    def usage(self) -> Usage:
        """Return nothing but the file's name: a replay costs no tokens."""
        return Usage(notes={"store": self._recording.name})

    def _answer(self, index: int, key: str, read: Callable[[Any], Answer]) -> Answer:
        stored = self._stored(key)
        if stored is None:
            raise InputError(f"{self._recording}: no recorded answer to request {index} ({key[:12]}); record it first")
        try:
            return read(json.loads(stored))
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise InputError(
                f"{self._recording}: what it holds for request {index} ({key[:12]}) is no recorded answer; record again"
            ) from error


def _json_lines(data: bytes, path: Path) -> dict[str, str]:
    lines: dict[str, str] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            if text := line.decode("utf-8", "surrogatepass").strip():
                lines[json.loads(text)["key"]] = text
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{path}: line {number} is no recorded answer; record again") from error
    return lines


class RecordingBackend(BackendWrapper[Backend]):
    """Passes requests on to ``inner`` and writes every answer to one file when the block ends without an error."""

    def __init__(self, inner: Backend, recording: Path) -> None:
        super().__init__(inner)
        self._recording = recording
        self._answers: dict[str, str] = {}

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
            with (
                atomic(self._recording) as path,
                AnswerStore(path, "recording", "alone") as store,
                store.transaction(),
            ):
                for key in sorted(self._answers):
                    store.put(key, self._answers[key])

    def _keep(self, key: str, answer: OptionScores | Generation) -> None:
        self._answers[key] = to_json(answer)


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

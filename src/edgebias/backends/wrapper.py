"""Wrappers: they answer in a backend's place, and pass on to it whatever is not an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Generic, Self, TypeVar

from edgebias.backends.base import Backend, Generation, GenerationRequest, GenerationSettings, Usage
from edgebias.core.errors import InputError

Inner = TypeVar("Inner", bound=Backend)
T = TypeVar("T")

CHUNK = 64
"""Requests that are taken at a time: answers come, and can be kept, before all are there."""


def in_chunks(requests: Sequence[T]) -> Iterator[Sequence[T]]:
    """Return ``requests``, `CHUNK` at a time."""
    return (requests[first : first + CHUNK] for first in range(0, len(requests), CHUNK))


class BackendWrapper(Generic[Inner]):
    """Pass on to ``inner`` what is not an answer; a subclass adds ``score`` and ``generate``.

    Args:
        inner: the backend.
    """

    def __init__(self, inner: Inner) -> None:
        self.name = inner.name
        self.scores_options = inner.scores_options
        self._inner = inner

    def forget(self) -> None:
        """Let the backend forget."""
        self._inner.forget()

    def usage(self) -> Usage:
        """Return the usage of the backend, whatever it was asked."""
        return self._inner.usage()

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._inner.__exit__(*exception)


class ScoringWrapper(BackendWrapper[Inner]):
    """Wrap a backend to score options and to write nothing; a subclass adds ``score``.

    Attributes:
        method: the mitigation method, for messages.
    """

    method: ClassVar[str]

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        """Refuse.

        Raises:
            InputError: always; options can be scored.
        """
        raise InputError(f"study.methods: {self.method} scores options; leave infer.formats at `likelihood` beside it")

    def plain_text(self, text: str | None) -> str:
        """Return the ``text`` of a prompt.

        Raises:
            InputError: the prompt is a conversation.
        """
        if text is None:
            raise InputError(f"study.methods: {self.method} reads plain text, and a format asks with a conversation")
        return text

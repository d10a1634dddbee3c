"""What stands before a backend and answers in its place: whatever is not an answer is the backend's own."""

from __future__ import annotations

from typing import Generic, Self, TypeVar

from edgebias.backends.base import Backend, Usage

Inner = TypeVar("Inner", bound=Backend)


class StandingBefore(Generic[Inner]):
    """The part of a backend that is passed on to ``inner``; who stands there adds ``score`` and ``generate``.

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
        """Of the backend, whatever it was asked."""
        return self._inner.usage()

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._inner.__exit__(*exception)

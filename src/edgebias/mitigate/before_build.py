"""What stands before a build in llama.cpp and answers in its place: whatever is not an answer is the build's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from edgebias.backends.base import Usage

if TYPE_CHECKING:
    from edgebias.backends.llama import LlamaBackend


class BeforeBuild:
    """The part of a backend that is passed on to ``inner``; a mitigation adds ``score`` and ``generate``.

    Args:
        inner: the build.
    """

    scores_options = True

    def __init__(self, inner: LlamaBackend) -> None:
        self.name = inner.name
        self._inner = inner

    def forget(self) -> None:
        """Let the build forget."""
        self._inner.forget()

    def usage(self) -> Usage:
        """Of the build, whatever it was asked."""
        return self._inner.usage()

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._inner.__exit__(*exception)

"""The text of an answer while it is written: what of it may be told already, and where it ends."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgebias.serve.live import Written


@dataclass(frozen=True)
class Part:
    """A further part of an answer: its text, and the tokens that begin in it with their places in the whole text."""

    text: str = ""
    tokens: tuple[tuple[int, Written], ...] = ()


@dataclass
class TextSoFar:
    """Puts tokens together to text, keeps back what may be the beginning of a stop text, and ends at the first one.

    Attributes:
        stops: texts that end the answer and are not part of it.
        told: characters so far; those of an echoed prompt count.
        stopped: whether a stop text was written.
    """

    stops: Sequence[str]
    told: int = 0
    stopped: bool = False
    _held: str = ""
    _tokens: list[tuple[int, Written]] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Bytes that are no text become the same sign as in the backends' answers.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, token: Written) -> Part:
        """Return what may be told now that ``token`` was written."""
        self._tokens.append((self.told + len(self._held), token))
        return self._more(self._decoder.decode(token.piece), keep=True)

    def end(self) -> Part:
        """Return what was kept back; the answer ends here."""
        return self._more(self._decoder.decode(b"", final=True), keep=False)

    def _more(self, text: str, *, keep: bool) -> Part:
        if self.stopped:
            return Part()
        self._held += text
        found = [place for stop in self.stops if (place := self._held.find(stop)) >= 0]
        self.stopped = bool(found)
        kept = max(map(self._beginning, self.stops), default=0) if keep else 0
        tell = min(found) if found else len(self._held) - kept
        told, self._held = self._held[:tell], self._held[tell:]
        self.told += len(told)
        if not told and keep:
            return Part()
        ended = not keep and not self.stopped
        ready = [token for token in self._tokens if ended or token[0] < self.told]
        self._tokens = self._tokens[len(ready) :]
        return Part(told, tuple(ready))

    def _beginning(self, stop: str) -> int:
        """Return the length of the longest end of what is held that ``stop`` begins with."""
        longest = min(len(stop) - 1, len(self._held))
        return next((size for size in range(longest, 0, -1) if self._held.endswith(stop[:size])), 0)

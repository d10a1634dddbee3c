"""Token sequences as one tree, so that what they begin with in common is evaluated once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgebias.backends.base import OptionScores

PACK = 512
"""Most tokens of a pack of several requests; beyond those of a prompt that takes more than half of it by itself."""

_ROOT = -1


class PrefixTree:
    """Rows of a batch: a row is one token, which sees its ancestors and itself.

    A parent's row comes before its children's, so that positions increase along every sequence.
    """

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.positions: list[int] = []
        self.parents: list[int] = []
        """Row of the token before, -1 for a first token."""
        self.members: list[list[int]] = []
        """The sequences to which a row belongs."""
        self.n_sequences = 0
        self._children: dict[tuple[int, int], int] = {}
        self._ends: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    def missing(self, tokens: Sequence[int]) -> int:
        """Return how many rows `add` would append."""
        row = _ROOT
        for length, token in enumerate(tokens):
            child = self._children.get((row, token))
            if child is None:
                return len(tokens) - length
            row = child
        return 0

    def add(self, tokens: Sequence[int], *, own_sequence: bool = False) -> list[int]:
        """Insert one path and return its rows.

        Equal paths share a sequence, unless ``own_sequence`` asks for one that can be continued on its own; its number
        is then ``n_sequences - 1``.
        """
        path: list[int] = []
        row = _ROOT
        for position, token in enumerate(tokens):
            child = self._children.get((row, token))
            if child is None:
                child = len(self.tokens)
                self._children[row, token] = child
                self.tokens.append(token)
                self.positions.append(position)
                self.parents.append(row)
                self.members.append([])
            path.append(child)
            row = child
        ends = self._ends.setdefault(row, [])
        if own_sequence or not ends:
            for each in path:
                self.members[each].append(self.n_sequences)
            ends.append(self.n_sequences)
            self.n_sequences += 1
        return path


@dataclass(frozen=True)
class Part:
    """A prompt and some of the options of request ``index``, as tokens; ``last`` marks the request's last part."""

    index: int
    prompt: list[int]
    options: list[list[int]]
    last: bool


@dataclass(frozen=True)
class ScorePack:
    """Parts that are evaluated together.

    ``wanted`` names, for every part and option, the row and the token of each log-probability to be summed.
    """

    parts: list[Part]
    tree: PrefixTree
    wanted: list[list[list[tuple[int, int]]]]

    @property
    def last_index(self) -> int:
        """Number of the last request that has a part here."""
        return self.parts[-1].index

    def needed(self) -> dict[int, list[int]]:
        """Return the tokens whose log-probability is needed after each row, by row."""
        found: dict[int, dict[int, None]] = {}
        for options in self.wanted:
            for pairs in options:
                for row, token in pairs:
                    found.setdefault(row, {})[token] = None
        return {row: list(found[row]) for row in sorted(found)}

    def sums(self, logprobs: dict[tuple[int, int], float]) -> list[list[float]]:
        """Return the summed log-probability of every option of every part, from those of (row, token)."""
        return [[sum(logprobs[pair] for pair in pairs) for pairs in options] for options in self.wanted]


def score_packs(
    parts: Iterator[Part], *, room: int, sequences: int, outputs: int | None = None, most: int = 0
) -> Iterator[ScorePack]:
    """Gather consecutive parts into packs of at most ``room`` tokens and ``sequences`` sequences.

    With ``most``, a pack whose first prompt takes more than half of the room has ``room`` tokens beyond that prompt,
    and ``most`` in all: sixteen demonstrations before each question are read once, and not once a question.

    Packs follow the order of the parts alone. An option's last token is not part of a tree: nothing is read after it.
    With ``outputs``, the options of a pack have at most so many tokens together. A part that is larger than a limit
    makes a pack of its own.
    """
    pack, scored, limit = ScorePack([], PrefixTree(), []), 0, room
    for part in parts:
        # An upper bound: options that begin alike take fewer rows and sequences.
        rows = pack.tree.missing(part.prompt) + sum(len(option) - 1 for option in part.options)
        full = len(pack.tree) + rows > limit or pack.tree.n_sequences + len(part.options) > sequences
        tokens = sum(map(len, part.options))
        if pack.parts and (full or (outputs is not None and scored + tokens > outputs)):
            yield pack
            pack, scored = ScorePack([], PrefixTree(), []), 0
        if not pack.parts:
            limit = max(room, min(most, len(part.prompt) + room)) if 2 * len(part.prompt) > room else room
        scored += tokens
        pack.parts.append(part)
        pairs = []
        for option in part.options:
            path = pack.tree.add(part.prompt + option[:-1])
            pairs.append(list(zip(path[len(part.prompt) - 1 :], option, strict=True)))
        pack.wanted.append(pairs)
    if pack.parts:
        yield pack


class ScoreCollector:
    """Puts the sums of the parts of a request, and the tokens behind them, together."""

    def __init__(self) -> None:
        self._logprobs: list[float] = []
        self._tokens: list[tuple[int, ...]] = []
        self._token_logprobs: list[tuple[float, ...]] = []

    def take(self, pack: ScorePack, logprobs: dict[tuple[int, int], float], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield the scores of every request from number ``skip`` on that ends in ``pack``."""
        for part, sums, wanted in zip(pack.parts, pack.sums(logprobs), pack.wanted, strict=True):
            self._logprobs += sums
            self._tokens += map(tuple, part.options)
            self._token_logprobs += (tuple(logprobs[pair] for pair in pairs) for pairs in wanted)
            if part.last:
                if part.index >= skip:
                    yield OptionScores(
                        logprobs=tuple(self._logprobs),
                        n_tokens=tuple(map(len, self._tokens)),
                        tokens=tuple(self._tokens),
                        token_logprobs=tuple(self._token_logprobs),
                    )
                self._logprobs, self._tokens, self._token_logprobs = [], [], []


def split_options(index: int, prompt: list[int], options: Sequence[list[int]], most: int) -> Iterator[Part]:
    """Yield the parts of one request with at most ``most`` options each."""
    for first in range(0, len(options), most):
        yield Part(index, prompt, list(options[first : first + most]), first + most >= len(options))

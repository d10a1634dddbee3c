"""How far a stage is: a bar in a terminal, a plain line now and then in a log file."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Self, TypeVar

from tqdm import tqdm

Thing = TypeVar("Thing")

BAR_SECONDS = 0.5
LINE_SECONDS = 10.0


class Progress:
    """Counts ``total`` things on standard error.

    A bar that is redrawn would be one endless line in a log file, so a file gets a line every `LINE_SECONDS` and one at
    the end. Rate and time left are those of the work so far by ``clock``, which counts what earlier processes of a
    resumed job took (`edgebias.backends.store.journal.Journal.clock`): answers from a journal do not look fast.

    Args:
        name: what the line begins with.
        total: how many there will be.
        unit: the plural of what is counted.
        clock: seconds.
    """

    def __init__(
        self, name: str, total: int, unit: str = "answers", clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._name, self._total, self._unit, self._clock = name, total, unit, clock
        self._count = 0
        self._in_terminal = sys.stderr.isatty()
        self._started = clock()
        self._shown = time.monotonic()

    def advance(self, count: int = 1) -> None:
        """Count ``count`` more and show it if the last time is long enough ago."""
        self._count += count
        now = time.monotonic()
        if now - self._shown >= (BAR_SECONDS if self._in_terminal else LINE_SECONDS):
            self._shown = now
            self._show()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is None:
            self._show()
        if self._in_terminal:
            print(file=sys.stderr)

    def _show(self) -> None:
        seconds = self._clock() - self._started
        if self._in_terminal:
            columns = shutil.get_terminal_size().columns
            bar = tqdm.format_meter(
                self._count, self._total, seconds, ncols=columns, prefix=self._name, unit=f" {self._unit}"
            )
            print(f"\r{bar}", end="", file=sys.stderr, flush=True)
        else:
            print(self._line(seconds), file=sys.stderr, flush=True)

    def _line(self, seconds: float) -> str:
        done = f"{self._name}: {self._count:,} of {self._total:,} {self._unit}"
        rate = self._count / seconds if seconds > 0 else 0.0
        if self._count >= self._total or not rate:
            return f"{done} in {tqdm.format_interval(seconds)}"
        left = tqdm.format_interval((self._total - self._count) / rate)
        return f"{done}, {rate:.3g} a second, {left} left"


def watched(
    things: Iterable[Thing], name: str, total: int, clock: Callable[[], float] = time.perf_counter
) -> Iterator[Thing]:
    """Yield ``things`` and show how many of ``total`` there were."""
    with Progress(name, total, clock=clock) as progress:
        for thing in things:
            progress.advance()
            yield thing

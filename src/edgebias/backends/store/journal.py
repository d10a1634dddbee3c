"""The journal of a running job: its answers so far, from which it goes on after a kill."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from edgebias.backends.store.answer_json import to_json
from edgebias.backends.store.answer_store import AnswerStore, DamagedStoreError

SYNC_SECONDS = 1.0
"""A loss of power costs the answers of about this long."""

LARGEST_SHARE = 0.02
"""Most of the time that may go into waiting for the disk; on a slow disk it is waited for less often."""


IDENTITY, PROCESS = "identity", "process"
"""Keys of what is no answer: what the file belongs to, and for each process that opened it tokens and seconds."""


class Journal:
    """Records of the answers of one job, in the order in which they came, in an `AnswerStore` of its own.

    Every record reaches the operating system at once, so that it outlasts a killed process; the disk is waited for
    about once a second (`SYNC_SECONDS`), which a loss of power may cost. A record that a bad disk changed is asked
    again, and so are those after it.

    The file belongs to one ``identity``. Where another one is found, or a damaged file, the journal starts afresh
    and says so on standard error: answers of other settings never come back.

    Answers stay on the disk and are read when they are asked for, so that a long journal takes no memory from a model
    that runs under a limit.

    Args:
        path: the file; it and its folder are made where they are absent.
        identity: of everything that decides what an answer is (`edgebias.backends.store.identity`).

    Raises:
        InputError: another process has the file open, or it cannot be opened, locked or written.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.interruptions = 0
        """How many processes had worked on the job before this one."""
        self.recalled = 0
        """How many answers came from the file instead of from the model."""
        self.counter: Callable[[], Sequence[float]] | None = None
        """Numbers to be noted now and then beside the answers, such as the tokens so far; see `earlier_counts`."""
        self._recalled_seconds = 0.0
        self._places: dict[str, int] = {}
        """Under each key, the place of the next record."""
        try:
            self._store = AnswerStore(path, "journal", "alone")
        except DamagedStoreError:
            print(f"{path}: it is damaged; the job starts afresh", file=sys.stderr)
            _delete(path)
            self._store = AnswerStore(path, "journal", "alone")
        try:
            self._begin(identity)
        except BaseException:
            self.close()
            raise
        self._asked, self._pause = time.monotonic(), SYNC_SECONDS

    def _begin(self, identity: str) -> None:
        found = self._find(IDENTITY)
        with self._store.transaction(durable=True):
            if found != identity:
                if self._store.rows("SELECT 1 FROM answers LIMIT 1"):
                    reason = "it is damaged" if found is None else "settings, items, weights, code or a library changed"
                    print(f"{self.path}: {reason}; the job starts afresh", file=sys.stderr)
                self._store.rows("DELETE FROM answers")
                self._store.put(IDENTITY, identity)
            self._counts: list[list[float]] = list(self._records(PROCESS))
            """What the last call of `counter` said in each earlier process."""
            self.interruptions = len(self._counts)
            ((n_rows,),) = self._store.rows("SELECT COUNT(*) FROM answers")
            self._note([])
        if n_rows > 1 + self.interruptions:
            known = n_rows - 1 - self.interruptions
            print(f"{self.path}: goes on after {known:,} answers or conversations", file=sys.stderr)

    def recall(self, key: str) -> Iterator[Any]:
        """Yield what is kept under ``key``, in order, each once; `clock` advances by what it took."""
        for seconds, count, value in self._records(key):
            self._recalled_seconds += seconds
            self.recalled += count
            yield value

    def keep(self, key: str, seconds: float, value: Any, *, count: int = 1) -> None:
        """Append ``value``, which is ``count`` answers and took ``seconds``, under ``key``.

        Args:
            key: what `recall` asks for.
            seconds: that the model took.
            value: anything that JSON can hold; numpy's numbers become Python's, a record becomes a mapping.
            count: number of answers in it.

        Raises:
            InputError: the disk is full.
        """
        if key not in self._places:
            deque(self._records(key), maxlen=0)
        place = self._places[key]
        self._store.put(_name(key, place), to_json([round(seconds, 6), count, value]), replace=True)
        self._places[key] = place + 1
        if time.monotonic() - self._asked >= self._pause:
            self._sync()

    def earlier_counts(self) -> list[float]:
        """Return the sums over the earlier processes of the numbers that each had noted last (see `counter`)."""
        return [sum(numbers) for numbers in zip(*filter(None, self._counts), strict=True)]

    def clock(self) -> float:
        """Return the seconds of `time.perf_counter` plus those that the answers recalled so far had taken."""
        return time.perf_counter() + self._recalled_seconds

    def remove(self, *instead: Path) -> None:
        """Delete the file once ``instead``, in which its answers went, are safely on the disk."""
        for path in instead:
            for each, flags in ((path, os.O_RDONLY), (path.parent, os.O_RDONLY | os.O_DIRECTORY)):
                descriptor = os.open(each, flags)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        _delete(self.path)
        self.close()

    def close(self) -> None:
        """Bring everything to the disk and give up the lock; a second call does nothing."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _find(self, name: str) -> str | None:
        try:
            return self._store.find(name)
        except DamagedStoreError:
            return None

    def _records(self, key: str) -> Iterator[Any]:
        while (record := self._find(_name(key, place := self._places.setdefault(key, 0)))) is not None:
            self._places[key] = place + 1
            yield json.loads(record)

    def _note(self, counts: Sequence[float]) -> None:
        self._store.put(_name(PROCESS, self.interruptions), to_json(counts), replace=True)

    def _sync(self) -> None:
        started = time.monotonic()
        if self.counter is not None:
            self._note(list(self.counter()))
        self._store.rows("PRAGMA wal_checkpoint")
        self._asked = time.monotonic()
        self._pause = max(SYNC_SECONDS, (self._asked - started) / LARGEST_SHARE)


def _name(key: str, place: int) -> str:
    return f"{key} {place:09}"


def _delete(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)

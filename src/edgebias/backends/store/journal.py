"""The file: one record a line, each with a checksum, appended and never changed."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from edgebias.core.errors import InputError

HEADER, START, USAGE = "edgebias-journal-1", "start", "usage"
"""Keys of the records that are no answers: what the file belongs to, a process that opened it, tokens and seconds."""

SYNC_SECONDS = 1.0
"""A loss of power costs the answers of about this long."""

LARGEST_SHARE = 0.02
"""Most of the time that may go into waiting for the disk; on a slow disk it is waited for less often."""


class Journal:
    """Records of the answers of one job, in the order in which they came.

    A line is ``checksum key body``. The checksum (CRC-32) goes over key and body and the checksum before, so that a
    line counts only in its place. Opening takes the longest prefix of whole lines and cuts off the rest, which is what
    a killed process or a loss of power leaves. Every record reaches the operating system at once, so that it outlasts
    a killed process; the disk is waited for about once a second (`SYNC_SECONDS`), which a loss of power may cost.

    The file belongs to one ``identity``. Where another one is found, or a damaged beginning, the journal starts afresh
    and says so on standard error: answers of other settings never come back.

    Bodies stay on the disk and are read when they are asked for, so that a long journal takes no memory from a model
    that runs under a limit.

    Args:
        path: the file; it and its folder are made where they are absent.
        identity: of everything that decides what an answer is (`edgebias.backends.store.identity`).

    Raises:
        InputError: another process has the file open, or it cannot be locked.
        OSError: the file cannot be opened or written.
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
        self._checksum = 0
        self._places: dict[str, list[tuple[int, int]]] = {}
        self._counts: list[tuple[float, ...]] = []
        """What the last record of `counter` said in each earlier process."""
        self._descriptor = _open_locked(path)
        try:
            self._begin(identity)
        except BaseException:
            self.close()
            raise

    def _begin(self, identity: str) -> None:
        end, found = self._scan()
        if found != identity:
            if os.fstat(self._descriptor).st_size:
                reason = "it is damaged" if found is None else "settings, items, weights, code or a library changed"
                print(f"{self.path}: {reason}; the job starts afresh", file=sys.stderr)
            end, self._checksum, self.interruptions, self._places, self._counts = 0, 0, 0, {}, []
        os.ftruncate(self._descriptor, end)
        os.lseek(self._descriptor, end, os.SEEK_SET)
        self._end = end
        self._synced = self._asked = time.monotonic()
        self._pause = SYNC_SECONDS
        if end == 0:
            self._write(HEADER, {"identity": identity})
        elif self._places:
            known = sum(map(len, self._places.values()))
            print(f"{self.path}: goes on after {known:,} answers or conversations", file=sys.stderr)
        self._write(START, None)
        self._sync()
        _sync_folder(self.path.parent)

    def _scan(self) -> tuple[int, str | None]:
        """Index the valid lines; return where they end, and the identity that the first one names."""
        identity: str | None = None
        end = 0
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            for line in file:
                parts = line.split(b" ", 2)
                checksum = zlib.crc32(line[9:-1], self._checksum)
                if len(parts) != 3 or not line.endswith(b"\n") or parts[0] != b"%08x" % checksum:
                    break
                key = parts[1].decode("ascii", "replace")
                if (key == HEADER) != (end == 0):
                    break
                body = end + 10 + len(key), len(line) - 11 - len(key)
                if key == HEADER:
                    identity = json.loads(parts[2])["identity"]
                elif key == START:
                    self.interruptions += 1
                    self._counts.append(())
                elif key == USAGE:
                    self._counts[-1] = tuple(json.loads(parts[2]))
                else:
                    self._places.setdefault(key, []).append(body)
                end, self._checksum = end + len(line), checksum
        return end, identity

    def recall(self, key: str) -> Iterator[Any]:
        """Yield what was kept under ``key`` before this process began, in order; `clock` advances by what it took."""
        for offset, length in self._places.get(key, ()):
            seconds, count, value = json.loads(
                os.pread(self._descriptor, length, offset).decode("utf-8", "surrogatepass")
            )
            self._recalled_seconds += seconds
            self.recalled += count
            yield value

    def keep(self, key: str, seconds: float, value: Any, *, count: int = 1) -> None:
        """Append ``value``, which is ``count`` answers and took ``seconds``, under ``key`` (no spaces in it).

        Args:
            key: what `recall` asks for.
            seconds: that the model took.
            value: anything that JSON can hold; numpy's numbers become Python's.
            count: number of answers in it.

        Raises:
            OSError: the disk is full.
        """
        self._write(key, [round(seconds, 6), count, value])
        now = time.monotonic()
        if now - self._asked >= self._pause:
            if self.counter is not None:
                self._write(USAGE, list(self.counter()))
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
            with path.open("rb") as file:
                os.fsync(file.fileno())
            _sync_folder(path.parent)
        self.path.unlink()
        self.close()

    def close(self) -> None:
        """Bring everything to the disk and give up the lock; a second call does nothing."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _write(self, key: str, value: Any) -> None:
        # Texts of a model may hold anything. Escaping keeps a record on one line, and "surrogatepass" what UTF-8 lacks.
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)
        data = f"{key} {body}".encode("utf-8", "surrogatepass")
        self._checksum = zlib.crc32(data, self._checksum)
        line = memoryview(b"%08x %b\n" % (self._checksum, data))
        while line:
            line = line[os.write(self._descriptor, line) :]

    def _sync(self) -> None:
        started = time.monotonic()
        os.fdatasync(self._descriptor)
        self._asked = time.monotonic()
        self._pause = max(SYNC_SECONDS, (self._asked - started) / LARGEST_SHARE)


def _open_locked(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                # A process that finished between the two lines above has removed the file that was opened.
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
            os.close(descriptor)
        except BlockingIOError as error:
            os.close(descriptor)
            raise InputError(f"{path}: another process is at this job; wait for it or end it") from error
        except OSError as error:
            os.close(descriptor)
            raise InputError(
                f"{path}: cannot be locked ({error.strerror}); write to a file system that has locks"
            ) from error


def _sync_folder(folder: Path) -> None:
    """Write a folder to the disk: only then is a new or renamed name in it safe."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(value: Any) -> Any:
    """Return a number of numpy as one of Python, which is what it comes back as."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be kept in a journal")

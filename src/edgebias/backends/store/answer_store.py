"""The file of answers: one SQLite format for journals of running jobs, paid answers and recordings."""

from __future__ import annotations

import fcntl
import hashlib
import json
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self

from edgebias.core.errors import InputError

Kind = Literal["journal", "response store", "recording"]

FORMAT = 2
"""Version of the tables; 1 held paid answers alone, without checksums, and is completed when it is opened."""

MAGIC = b"SQLite format 3\0"

_IDS: Mapping[int, Kind] = {0xEB1A5001: "journal", 0xEB1A5002: "response store", 0xEB1A5003: "recording"}
"""What SQLite's ``application_id`` says that a file holds."""

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    response TEXT NOT NULL
) WITHOUT ROWID;
ALTER TABLE answers ADD COLUMN checksum INTEGER;
CREATE TABLE IF NOT EXISTS ledger (
    ticket INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('sent', 'answered', 'lost')),
    prompt_tokens INTEGER NOT NULL,
    generated_tokens INTEGER NOT NULL,
    usd REAL
)
"""

_FAULTS = {
    "SQLITE_IOERR_SHMSIZE": "finds no room on its disk; free space and run again: what it holds is kept",
    "SQLITE_IOERR_SHM": "cannot be locked; use a local disk, whose file system has locks",
    "SQLITE_FULL": "finds no room on its disk; free space and run again: what it holds is kept",
    "SQLITE_READONLY": "cannot be written; choose a writable folder and run again",
    "SQLITE_CANTOPEN": "cannot be opened; choose a writable file",
    "SQLITE": "cannot be used; mend that and run again: what it holds is kept",
}
"""Beginnings of SQLite's names of an error: what it means for the file; the way out."""


class DamagedStoreError(InputError):
    """A file that is no store of this format, or whose content is not what was written."""


def content_hash(content: Mapping[str, Any]) -> str:
    """Return SHA-256 (hexadecimal) of ``content`` as canonical JSON: sorted keys, UTF-8, no escapes.

    Raises:
        TypeError: ``content`` holds something that JSON has no form for.
    """
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class AnswerStore:
    """Texts by key in the table ``answers``, each with a checksum (CRC-32), so that a bad disk gives no wrong one.

    Every commit outlasts a killed process; a durable one also a loss of power (WAL with ``synchronous=FULL``,
    https://www.sqlite.org/pragma.html#pragma_synchronous). Texts may hold anything that a string can: NUL, line
    separators, lone surrogates. The table ``ledger`` belongs to paid answers.

    Args:
        path: the file; it and its folder are made where they are absent, unless it is only read.
        kind: what the file holds.
        access: ``alone`` locks out all other processes until it is closed, ``shared`` waits for each other's
            transactions, ``read`` takes a file that nobody changes, on a read-only disk too.
        label: names the file in messages.
        wait_seconds: how long to wait for another process's transaction.

    Raises:
        DamagedStoreError: the file is damaged, or no store of this format.
        InputError: it holds something else, cannot be opened or locked, or another process has it alone.
    """

    def __init__(
        self,
        path: Path,
        kind: Kind,
        access: Literal["alone", "shared", "read"],
        *,
        label: str = "",
        wait_seconds: float = 0.0,
    ) -> None:
        self.path = path
        self._kind = kind
        self._label = label or str(path)
        reads = access == "read"
        try:
            if not reads:
                self._try_folder()
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?immutable=1" if reads else path.absolute(),  # ":memory:" is a name, too
                wait_seconds,
                isolation_level=None,
                check_same_thread=False,
                uri=reads,
            )
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"{self._label} cannot be opened ({error}); choose a writable file") from error
        try:
            if access == "alone":
                self.rows("PRAGMA locking_mode = EXCLUSIVE")
                self.rows("PRAGMA wal_autocheckpoint = 0")
            self._format()  # nothing is written into a file that is something else
            if not reads:
                self.rows("PRAGMA journal_mode = WAL")
                self.rows("PRAGMA synchronous = NORMAL")
                with self.transaction(durable=True):
                    self._complete(self._format())
            problem = self.rows("PRAGMA quick_check(1)")[0][0]
            if problem != "ok":
                raise self._damage(" ".join(problem.split()))
        except BaseException:
            self.close()
            raise

    def _try_folder(self) -> None:
        """Find out whether files beside the store can be written and locked; SQLite would wait for a lock in vain.

        The store itself is not tried: closing it would drop the locks that SQLite holds on it in this process.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.path.parent) as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise InputError(
                    f"{self._label} cannot be locked ({error}); use a local disk, whose file system has locks"
                ) from error

    def _format(self) -> int:
        """Return the version of the tables, 0 where there are none yet; refuse what is no store of this kind."""
        version, identity, tables = (
            self.rows(query)[0][0]
            for query in ("PRAGMA user_version", "PRAGMA application_id", "SELECT COUNT(*) FROM sqlite_master")
        )
        known: dict[tuple[int, bool], Kind | None] = {
            (0, False): self._kind,
            (1, True): "response store",
            (FORMAT, True): _IDS.get(identity & 0xFFFFFFFF),
        }
        found = known.get((version, tables > 0))
        if found is None:
            raise DamagedStoreError(
                f"{self._label} is no {self._kind} (format {FORMAT}, the file says {version}); choose another file"
            )
        if found != self._kind:
            raise InputError(f"{self._label} is no {self._kind} but a {found}; choose another file")
        return int(version)

    def _complete(self, version: int) -> None:
        if version < FORMAT:
            (number,) = (number for number, kind in _IDS.items() if kind == self._kind)
            for statement in (*_TABLES.split(";"), f"PRAGMA application_id = {number - 2**32}"):
                self.rows(statement)
            self.rows(f"PRAGMA user_version = {FORMAT}")

    def find(self, key: str) -> str | None:
        """Return the text under ``key``, or None.

        Raises:
            DamagedStoreError: it is not what was written.
        """
        for data, checksum in self.rows("SELECT CAST(response AS BLOB), checksum FROM answers WHERE key = ?", (key,)):
            with suppress(UnicodeDecodeError):
                if checksum in (None, _checksum(key, data)):
                    return str(data.decode("utf-8", "surrogatepass"))
            raise self._damage(f"checksum of {key[:24]}")
        return None

    def put(self, key: str, response: str, request: str = "", *, replace: bool = False) -> None:
        """Write a text under ``key``, which keeps what it has unless it is to be replaced."""
        data = response.encode("utf-8", "surrogatepass")
        self.rows(
            f"INSERT OR {'REPLACE' if replace else 'IGNORE'} INTO answers VALUES (?, ?, CAST(? AS TEXT), ?)",
            (key, request, data, _checksum(key, data)),
        )

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows that one statement of SQL gives.

        Raises:
            InputError: the file cannot be used: damaged, locked, a full or read-only disk.
        """
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._fault(error) from error

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Read and write as one step, also between processes; ``durable`` waits for the disk."""
        if durable:
            self.rows("PRAGMA synchronous = FULL")
        try:
            self.rows("BEGIN IMMEDIATE")
            yield
            self.rows("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._database.rollback()
            raise
        finally:
            if durable:
                self.rows("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _damage(self, reason: str) -> DamagedStoreError:
        return DamagedStoreError(f"{self._label} is damaged ({reason}); restore a copy of it or choose another file")

    def _fault(self, error: sqlite3.Error) -> InputError:
        name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
        if name == "SQLITE_NOTADB":
            return DamagedStoreError(f"{self._label} is no {self._kind} ({error}); choose another file")
        if name.startswith("SQLITE_CORRUPT"):
            return self._damage(str(error))
        if name.startswith("SQLITE_BUSY"):
            return InputError(f"{self._label}: another process is at this job; wait for it or end it")
        reason, way_out = next(words for start, words in _FAULTS.items() if name.startswith(start)).split("; ")
        return InputError(f"{self._label} {reason} ({error}, {name}); {way_out}")


def _checksum(key: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(key.encode()))

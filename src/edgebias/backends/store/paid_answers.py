"""Answers of a paid endpoint on disk, and what they cost, so that a rerun or a crash never pays for one twice."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from edgebias.backends.endpoint.budget import Budget, OverBudgetError, Price, Spending
from edgebias.backends.store.content_hash import content_hash
from edgebias.core.errors import InputError

VERSION = 1
BUSY_SECONDS = 60.0
"""How long one process waits for another's transaction; a transaction takes milliseconds."""

CLAIM_SECONDS = 0.05
"""Between two looks at whether another process still asks the same."""

_TABLES = """
CREATE TABLE answers (
    key TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    response TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE ledger (
    ticket INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('sent', 'answered', 'lost')),
    prompt_tokens INTEGER NOT NULL,
    generated_tokens INTEGER NOT NULL,
    usd REAL
);
"""


def content_key(endpoint: str, body: Mapping[str, Any], seed: int) -> str:
    """Return the SHA-256 of everything that was asked, as canonical JSON.

    ``seed`` counts even where it is not sent, because the endpoint refuses it: repeated draws of one prompt are
    different questions, and must not all be given the first answer.
    """
    content = {"endpoint": endpoint.rstrip("/"), "body": dict(body), "seed": seed}
    return content_hash(content)


class PaidAnswers:
    """An SQLite file: ``answers`` holds each whole response as it came, ``ledger`` each request that may cost money.

    A request is in the ledger, at the most that it can cost, before it is sent. An answer and its true cost are
    committed together before anyone sees the answer. A request that was sent and never answered, because the
    connection or this process broke, may have been charged and stays in the ledger at its highest cost; one that the
    endpoint refused is taken out. Every commit outlasts a killed process. That of an answer also outlasts a loss of
    power (WAL with ``synchronous=FULL``, https://www.sqlite.org/pragma.html#pragma_synchronous); the others are on the
    disk with the next answer, as waiting for it twice for each request would double the cost of the store.
    Threads may share an object, processes a file. Two processes that would ask the same at the same time take turns: a
    byte of the file beside it (``.lock``) is locked for each request under way, and the kernel frees it when a process
    ends, however that happens. The endpoint's key never comes here.

    Args:
        path: the file; it and its folder are made where they are absent.
        budget: the most that may be spent over the life of the file.
        prices: of the models, for requests of the file that were paid before there was a price.

    Raises:
        InputError: the file is no response store, or cannot be opened, or holds requests of unknown price and money is
            limited.
    """

    def __init__(self, path: Path, budget: Budget, prices: Mapping[str, Price]) -> None:
        self._path = path
        self._budget = budget
        self._settled = threading.Condition()
        """Held around each transaction; notified when a request is settled."""
        self._open_tickets = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"store: {path} cannot be opened ({error}); choose a writable file") from error
        self._claims: IO[bytes] | None = None
        try:
            self._prepare(prices)
            # Never the database itself: closing it here would drop the locks that SQLite holds.
            self._claims = path.with_name(path.name + ".lock").open("ab")
        except OSError as error:
            self.close()
            raise InputError(f"store: {path}.lock cannot be opened ({error}); choose a writable folder") from error
        except sqlite3.Error as error:
            self.close()
            raise InputError(f"store: {path} is no response store ({error}); choose another file") from error
        except BaseException:
            self.close()
            raise

    def find(self, key: str) -> str | None:
        """Return the stored response to a request, or None."""
        with self._settled:
            row = self._database.execute("SELECT response FROM answers WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    @contextmanager
    def claim(self, key: str, check: Callable[[], None]) -> Iterator[None]:
        """Ask the request ``key`` alone among all processes: wait while another one asks it.

        Threads of one process take turns before they come here.

        Args:
            key: of `content_key`.
            check: called between two looks; what it raises ends the wait.

        Raises:
            InputError: the file system has no locks.
        """
        assert self._claims is not None
        byte = int(key[:15], 16)  # should two requests share one of 2**60 bytes, one only waits
        while True:
            try:
                fcntl.lockf(self._claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
                break
            except (BlockingIOError, PermissionError):  # POSIX allows either where another process holds it
                check()
                time.sleep(CLAIM_SECONDS)
            except OSError as error:
                raise InputError(f"store: {self._path}.lock cannot be locked ({error}); use a local disk") from error
        try:
            yield
        finally:
            fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, byte)

    def reserve(self, key: str, model: str, most: Spending) -> int:
        """Enter a request that is about to be sent, at the most that it can cost, and return its ticket.

        Where the budget has no room for it, wait until requests under way are settled: most cost less than reserved.

        Raises:
            OverBudgetError: the budget has no room for it, and nothing is under way.
        """
        with self._settled:
            while True:
                try:
                    with self._transaction():
                        if not self._budget.unlimited:
                            self._budget.check(self._spent(), most, self._path)
                        ticket = self._database.execute(
                            "INSERT INTO ledger (key, model, state, prompt_tokens, generated_tokens, usd)"
                            " VALUES (?, ?, 'sent', ?, ?, ?)",
                            (key, model, most.prompt_tokens, most.generated_tokens, most.usd),
                        ).lastrowid
                except OverBudgetError:
                    if self._open_tickets == 0:
                        raise
                    self._settled.wait()
                else:
                    self._open_tickets += 1
                    return int(ticket or 0)

    def keep(self, ticket: int, key: str, request: str, response: str, paid: Spending | None) -> str:
        """Store an answer and what it cost (None leaves the reserved cost); return the answer that the store now has.

        That is another one where another process was answered first: then both go on with the same.
        """
        with self._settling(), self._transaction(durable=True):
            self._database.execute("UPDATE ledger SET state = 'answered' WHERE ticket = ?", (ticket,))
            if paid is not None:
                self._database.execute(
                    "UPDATE ledger SET prompt_tokens = ?, generated_tokens = ?, usd = ? WHERE ticket = ?",
                    (paid.prompt_tokens, paid.generated_tokens, paid.usd, ticket),
                )
            self._database.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", (key, request, response))
            (kept,) = self._database.execute("SELECT response FROM answers WHERE key = ?", (key,)).fetchone()
        return str(kept)

    def release(self, ticket: int) -> None:
        """Take out a request that cost nothing: it was refused, or never reached the endpoint."""
        with self._settling(), self._transaction():
            self._database.execute("DELETE FROM ledger WHERE ticket = ?", (ticket,))

    def lose(self, ticket: int) -> None:
        """Leave a request at its highest cost: it was sent, no answer came, and it may have been charged."""
        with self._settling(), self._transaction():
            self._database.execute("UPDATE ledger SET state = 'lost' WHERE ticket = ?", (ticket,))

    def spent(self) -> Spending:
        """Return what was spent over the life of the file, lost requests at their highest cost.

        ``usd`` is None without any known price.
        """
        with self._settled:
            return self._spent()

    def close(self) -> None:
        """Close the file."""
        self._database.close()
        if self._claims is not None:
            self._claims.close()

    def _prepare(self, prices: Mapping[str, Price]) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        with self._transaction(durable=True):
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            (tables,) = self._database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            if version == 0 and tables == 0:
                for statement in filter(str.strip, _TABLES.split(";")):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                raise InputError(f"store: {self._path} is no response store of version {VERSION}; choose another file")
            for model, price in prices.items():
                self._database.execute(
                    "UPDATE ledger SET usd = (prompt_tokens * ? + generated_tokens * ?) / 1e6"
                    " WHERE usd IS NULL AND model = ?",
                    (price.prompt_usd_per_million, price.generated_usd_per_million, model),
                )
            row = self._database.execute("SELECT model FROM ledger WHERE usd IS NULL LIMIT 1").fetchone()
        if row is not None and self._budget.usd is not None:
            raise InputError(
                f"budget.usd: {self._path} holds requests to {row[0]!r} whose price is unknown; add it to prices"
            )

    def _spent(self) -> Spending:
        requests, prompt, generated, usd = self._database.execute(
            "SELECT COUNT(*), TOTAL(prompt_tokens), TOTAL(generated_tokens), SUM(usd) FROM ledger"
        ).fetchone()
        return Spending(requests, int(prompt), int(generated), usd)

    @contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Read and write as one step, also between processes; ``durable`` waits for the disk."""
        try:
            self._database.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._database.execute("BEGIN IMMEDIATE")
            yield
            self._database.execute("COMMIT")
        except BaseException as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise InputError(
                    f"store: {self._path} cannot be used ({error}); mend that and run again: what it holds is kept"
                ) from error
            raise

    @contextmanager
    def _settling(self) -> Iterator[None]:
        with self._settled:
            try:
                yield
            finally:
                self._open_tickets -= 1
                self._settled.notify_all()

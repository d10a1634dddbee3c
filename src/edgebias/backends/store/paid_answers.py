"""Answers of a paid endpoint on disk, and what they cost, so that a rerun or a crash never pays for one twice."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgebias.backends.endpoint.budget import Budget, OverBudgetError, Price, Spending
from edgebias.backends.store.answer_store import AnswerStore, content_hash
from edgebias.core.errors import InputError

BUSY_SECONDS = 60.0
"""How long one process waits for another's transaction; a transaction takes milliseconds."""

MOST_TOKENS = 2**53
"""No answer has as many: an endpoint that says so is not believed, and its request keeps the reserved cost."""

CLAIM_SECONDS = 0.05
"""Between two looks at whether another process still asks the same."""


def content_key(endpoint: str, body: Mapping[str, Any], seed: int) -> str:
    """Return the SHA-256 of everything that was asked, as canonical JSON.

    ``seed`` counts even where it is not sent, because the endpoint refuses it: repeated draws of one prompt are
    different questions, and must not all be given the first answer.
    """
    content = {"endpoint": endpoint.rstrip("/"), "body": dict(body), "seed": seed}
    return content_hash(content)


class PaidAnswers:
    """An `AnswerStore`: ``answers`` holds each whole response as it came, ``ledger`` each request that may cost money.

    A request is in the ledger, at the most that it can cost, before it is sent. An answer and its true cost are
    committed together before anyone sees the answer. A request that was sent and never answered, because the
    connection or this process broke, may have been charged and stays in the ledger at its highest cost; one that the
    endpoint refused is taken out. The commit of an answer outlasts a loss of power; the others are on the disk with
    the next answer, as waiting for it twice for each request would double the cost of the store.
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
        self._store = AnswerStore(path, "response store", "shared", label=f"store: {path}", wait_seconds=BUSY_SECONDS)
        try:
            self._price(prices)
            # Never the database itself: closing it here would drop the locks that SQLite holds.
            self._claims = path.with_name(path.name + ".lock").open("ab")
        except BaseException as error:
            self._store.close()
            if isinstance(error, OSError):
                raise InputError(f"store: {path}.lock cannot be opened ({error}); choose a writable folder") from error
            raise

    def find(self, key: str) -> str | None:
        """Return the stored response to a request, or None.

        Raises:
            InputError: the file is damaged or cannot be read.
        """
        with self._settled:
            return self._store.find(key)

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
                    with self._store.transaction():
                        if not self._budget.unlimited:
                            self._budget.check(self._spent(), most, self._path)
                        ((ticket,),) = self._store.rows(
                            "INSERT INTO ledger (key, model, state, prompt_tokens, generated_tokens, usd)"
                            " VALUES (?, ?, 'sent', ?, ?, ?) RETURNING ticket",
                            (key, model, most.prompt_tokens, most.generated_tokens, most.usd),
                        )
                except OverBudgetError:
                    if self._open_tickets == 0:
                        raise
                    self._settled.wait()
                else:
                    self._open_tickets += 1
                    return int(ticket)

    def keep(self, ticket: int, key: str, request: str, response: str, paid: Spending | None) -> str:
        """Store an answer and what it cost (None leaves the reserved cost); return the answer that the store now has.

        That is another one where another process was answered first: then both go on with the same.
        """
        with self._settling(), self._store.transaction(durable=True):
            self._store.rows("UPDATE ledger SET state = 'answered' WHERE ticket = ?", (ticket,))
            if paid is not None and max(paid.prompt_tokens, paid.generated_tokens) < MOST_TOKENS:
                self._store.rows(
                    "UPDATE ledger SET prompt_tokens = ?, generated_tokens = ?, usd = ? WHERE ticket = ?",
                    (paid.prompt_tokens, paid.generated_tokens, paid.usd, ticket),
                )
            self._store.put(key, response, request)
            return self._store.find(key) or response

    def release(self, ticket: int) -> None:
        """Take out a request that cost nothing: it was refused, or never reached the endpoint."""
        with self._settling(), self._store.transaction():
            self._store.rows("DELETE FROM ledger WHERE ticket = ?", (ticket,))

    def lose(self, ticket: int) -> None:
        """Leave a request at its highest cost: it was sent, no answer came, and it may have been charged."""
        with self._settling(), self._store.transaction():
            self._store.rows("UPDATE ledger SET state = 'lost' WHERE ticket = ?", (ticket,))

    def close(self) -> None:
        """Close the file."""
        self._store.close()
        self._claims.close()

    def _price(self, prices: Mapping[str, Price]) -> None:
        """Price the requests that were paid before there was a price; refuse a limit on money while one has none."""
        with self._store.transaction(durable=True):
            for model, price in prices.items():
                self._store.rows(
                    "UPDATE ledger SET usd = (prompt_tokens * ? + generated_tokens * ?) / 1e6"
                    " WHERE usd IS NULL AND model = ?",
                    (price.prompt_usd_per_million, price.generated_usd_per_million, model),
                )
            unpriced = self._store.rows("SELECT model FROM ledger WHERE usd IS NULL LIMIT 1")
        if unpriced and self._budget.usd is not None:
            raise InputError(
                f"budget.usd: {self._path} holds requests to {unpriced[0][0]!r} whose price is unknown; "
                "add it to prices"
            )

    def _spent(self) -> Spending:
        """Return what was spent over the life of the file, lost requests at their highest cost."""
        ((requests, prompt, generated, usd),) = self._store.rows(
            "SELECT COUNT(*), TOTAL(prompt_tokens), TOTAL(generated_tokens), SUM(usd) FROM ledger"
        )
        return Spending(requests, int(prompt), int(generated), usd)

    @contextmanager
    def _settling(self) -> Iterator[None]:
        with self._settled:
            try:
                yield
            finally:
                self._open_tickets -= 1
                self._settled.notify_all()

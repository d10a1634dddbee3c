"""The bounded queue before the server's routes: who is let in, who is sent away, and what is counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgebias.serve.refusal import Refused

RETRY_SECONDS = 1
"""What `Retry-After` says: a short answer of a small model takes about that."""

STALLED_SECONDS = 60.0
"""A client that takes nothing of an answer for so long, or has not sent its whole question by then, is dropped: it
keeps the model from all others, or a place."""


@dataclass
class Tally:
    """Requests since the start. Every admitted one is in ``ended`` or in ``inside``."""

    admitted: int = 0
    refused: int = 0
    ended: int = 0
    answered: int = 0
    """Requests that ended well: completions and chats that came out whole."""
    stalled: int = 0
    """Clients that took nothing, or did not end their question."""
    inside: int = 0
    seconds: float = 0.0
    """From admission to end, waiting included, summed over those ended."""


class RequestQueue:
    """Lets in one request and ``waiting`` more, which are answered one after another; others get a 503.

    Args:
        waiting: requests that may wait.
        done: called after each request that ended, with whether it was an answer; the place is free by then.
    """

    def __init__(self, waiting: int, done: Callable[[bool], None]) -> None:
        self.app: ASGIApp | None = None
        """The server's routes; None while the model is loading."""
        self.tally = Tally()
        self._waiting, self._done = waiting, done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if self.app is None:
            await refusal("loading", "The model is loading; ask again soon.")(scope, receive, send)
            return
        if self.tally.inside > self._waiting:
            self.tally.refused += 1
            message = f"One request is being answered and {self._waiting} are waiting; ask again soon."
            await refusal("queue_full", message)(scope, receive, send)
            return
        await self._answer(self.app, scope, receive, send)

    async def _answer(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        status, whole, heard, late = 0, False, False, False
        heard_by = anyio.current_time() + STALLED_SECONDS

        async def hearing() -> Message:
            nonlocal heard
            if heard:  # what is left to come is the client's going, which may take as long as the answer
                return await receive()
            with anyio.fail_after(max(0.0, heard_by - anyio.current_time())):
                message = await receive()
            heard = not message.get("more_body", False)
            return message

        async def watched(message: Message) -> None:
            nonlocal status, whole
            if message["type"] == "http.response.start":
                status = message["status"]
            with anyio.fail_after(STALLED_SECONDS):
                await send(message)
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)

        self.tally.admitted += 1
        self.tally.inside += 1
        began = time.monotonic()
        try:
            await app(scope, hearing, watched)
        except* TimeoutError:
            self.tally.stalled += 1
            whole, late = False, status == 0
        finally:
            self.tally.inside -= 1
            self.tally.ended += 1
            self.tally.seconds += time.monotonic() - began
            answered = whole and status == 200 and scope["path"].endswith("/completions")
            self.tally.answered += answered
            self._done(answered)
        if late:
            refused = Refused(f"The body was not whole after {STALLED_SECONDS:g} s.", code="timeout", status=408)
            await refused.response()(scope, receive, send)


def refusal(code: str, message: str) -> Response:
    """Return a 503 in the shape of OpenAI's errors, after which clients ask again."""
    return Refused(message, code=code, status=503).response({"Retry-After": str(RETRY_SECONDS)})

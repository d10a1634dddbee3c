"""OpenAI's routes: from HTTP to a checked request, and from the answers to HTTP."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import anyio
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from edgebias.core.errors import InputError
from edgebias.serve.answers import Reply, Told, ready, told
from edgebias.serve.live import LiveModel
from edgebias.serve.refusal import Refused, as_json, error_content, json_response, shown
from edgebias.serve.request import Asked, read_chat, read_completion

LARGEST_BODY = 2 << 20
"""Bytes of a question: a context of 100,000 tokens has a quarter of it."""

READ_AWAY = 16 * LARGEST_BODY
"""Bytes of a question that is too large which are still taken: most clients read an answer only after sending all."""

EVENT_STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]

PATHS = "/v1/chat/completions, /v1/completions and /v1/models"


class Routes:
    """The application that answers for one model.

    Args:
        name: of the model.
        model: the live model.
        lock: held by whoever uses the model.
        logprobs: whether requests for log-probabilities are answered.
    """

    def __init__(self, name: str, model: LiveModel, lock: anyio.Lock, *, logprobs: bool) -> None:
        self._name, self._model, self._lock, self._logprobs = name, model, lock, logprobs
        self._created = int(time.time())
        self.app = application(
            [
                Route("/v1/chat/completions", partial(self._answer, read_chat), methods=["POST"]),
                Route("/v1/completions", partial(self._answer, read_completion), methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/v1/models/{name:path}", self._one_model),
            ]
        )

    def _model_object(self) -> dict[str, Any]:
        return {"id": self._name, "object": "model", "created": self._created, "owned_by": "edgebias"}

    async def _models(self, _: Request) -> Response:
        return json_response({"object": "list", "data": [self._model_object()]})

    async def _one_model(self, request: Request) -> Response:
        if request.path_params["name"] != self._name:
            named = shown(request.path_params["name"])
            raise Refused(f"There is no model {named} here.", param="model", code="model_not_found", status=404)
        return json_response(self._model_object())

    async def _answer(self, read: Callable[[bytes], Asked], request: Request) -> ASGIApp:
        asked = await run_sync(read, await _body(request))
        if asked.top_logprobs is not None and not self._logprobs:
            raise Refused("logprobs: this server was started with --no-logprobs; leave it out", param="logprobs")
        prompts = await run_sync(ready, self._model, asked)
        reply = Reply(asked, self._name, sum(map(len, prompts)))
        return _Answering(self._model, self._lock, asked, prompts, reply)


class _Answering:
    """Writes the answers to one checked request, as long as its client is there."""

    def __init__(
        self, model: LiveModel, lock: anyio.Lock, asked: Asked, prompts: tuple[list[int], ...], reply: Reply
    ) -> None:
        self._model, self._lock, self._asked, self._prompts, self._reply = model, lock, asked, prompts, reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, receive, tasks.cancel_scope)
            await (self._stream(send) if self._asked.stream else self._whole(scope, receive, send))
            tasks.cancel_scope.cancel()

    @staticmethod
    async def _watch(receive: Receive, answering: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        answering.cancel()

    async def _parts(self, use: Callable[[Told], Awaitable[None]]) -> None:
        async with self._lock:
            with closing(told(self._model, self._asked, self._prompts)) as parts:
                while (part := await run_sync(next, parts, None)) is not None:
                    self._reply.take(part)
                    await use(part)

    async def _whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def nothing(_: Told) -> None: ...

        try:
            await self._parts(nothing)
        except InputError as error:
            response = Refused(str(error)).response()
        else:
            response = json_response(self._reply.whole())
        await response(scope, receive, send)

    async def _stream(self, send: Send) -> None:
        async def event(content: str) -> None:
            await send({"type": "http.response.body", "body": f"data: {content}\n\n".encode(), "more_body": True})

        async def chunks(part: Told) -> None:
            for chunk in self._reply.chunks(part):
                await event(as_json(chunk))

        await send({"type": "http.response.start", "status": 200, "headers": EVENT_STREAM})
        try:
            await self._parts(chunks)
        except InputError as error:
            await event(as_json(error_content(str(error), None, None, 400)))
        else:
            if self._asked.include_usage:
                await event(as_json(self._reply.last_chunk()))
            await event("[DONE]")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Door:
    """Lets in whoever sends the server's key, if there is one, and gives every request its identity.

    Args:
        app: what is behind it.
        key: what clients must send; None for no key.
    """

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self._app, self._key = app, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        identity = f"req_{uuid.uuid4().hex}".encode()

        async def identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-request-id", identity)]}
            await send(message)

        app = self._app if scope["type"] != "http" or self._fits(Request(scope)) else _NO_KEY
        await app(scope, receive, identified)

    def _fits(self, request: Request) -> bool:
        kind, _, sent = request.headers.get("authorization", "").partition(" ")
        expected = self._key
        return expected is None or (
            kind.lower() == "bearer" and secrets.compare_digest(sent.strip().encode(), expected.encode())
        )


_NO_KEY = Refused("The key is missing or another one.", code="invalid_api_key", status=401).response(
    {"WWW-Authenticate": "Bearer"}
)


def application(routes: Sequence[BaseRoute], lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """Return an application whose errors have OpenAI's form."""
    handlers: Any = {
        Refused: _refused,
        HTTPException: _no_route,
        ClientDisconnect: lambda *_: Response(),
        Exception: lambda *_: Refused("The server failed; its log says why.", status=500).response(),
    }
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    app.router.redirect_slashes = False
    return app


async def _refused(_: Request, refused: Refused) -> Response:
    return refused.response()


async def _no_route(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        message = f"This path does not take {shown(request.method)}."
        return Refused(message, code="method_not_allowed", status=405).response(error.headers)
    message = f"There is no {shown(request.url.path)} here; there are {PATHS}."
    return Refused(message, code="unknown_url", status=error.status_code).response(error.headers)


async def _body(request: Request) -> bytes:
    """Return the body of a request for an answer, all of which is taken before it is refused.

    Raises:
        Refused: it is not declared as JSON, or too large.
    """
    body, length = bytearray(), 0
    async for part in request.stream():
        length += len(part)
        if length <= LARGEST_BODY:
            body += part
        elif length > READ_AWAY:
            break
    media, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    # A page in a browser may send a form to any server unasked, and no JSON.
    if media.strip() != "application/json" or charset not in ("", "charset=utf-8", "charset=utf8"):
        raise Refused("The content type has to be application/json, in UTF-8.", code="content_type", status=415)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused("The body has to come as it is, without a content encoding.", code="encoding", status=415)
    if length > LARGEST_BODY:
        raise Refused(f"The body has more than {LARGEST_BODY} bytes; shorten it.", code="too_large", status=413)
    return bytes(body)

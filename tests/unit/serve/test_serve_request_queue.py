"""The bounded queue and the page of numbers, without a model."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from edgebias.serve import request_queue as module
from edgebias.serve.metrics import Sample, exposition
from edgebias.serve.request_queue import RequestQueue

SCOPE: Scope = {"type": "http", "method": "POST", "path": "/v1/completions", "headers": []}
Take = Callable[[Message], Awaitable[None]]


async def nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def answer(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def asked(queue: RequestQueue, take: Take | None = None, receive: Receive = nothing) -> list[Message]:
    """What one client gets."""
    got: list[Message] = []

    async def send(message: Message) -> None:
        if take is not None:
            await take(message)
        got.append(message)

    anyio.run(queue, SCOPE, receive, send)
    return got


def test_until_the_model_is_loaded_everyone_is_told_to_come_back() -> None:
    messages = asked(RequestQueue(1, lambda _: None))
    assert messages[0]["status"] == 503
    assert b"loading" in messages[1]["body"]


def test_a_whole_answer_is_counted_and_its_place_is_free_when_it_is_told() -> None:
    told: list[Any] = []
    queue = RequestQueue(0, lambda answered: told.append((answered, queue.tally.inside)))
    queue.app = answer
    assert len(asked(queue)) == 3
    assert told == [(True, 0)]
    assert (queue.tally.admitted, queue.tally.ended, queue.tally.answered) == (1, 1, 1)


def test_a_route_that_fails_gives_its_place_back() -> None:
    async def failing(_: Scope, __: Receive, ___: Send) -> None:
        raise RuntimeError("broken")

    queue = RequestQueue(0, lambda _: None)
    queue.app = failing
    with pytest.raises(RuntimeError, match="broken"):
        asked(queue)
    assert (queue.tally.inside, queue.tally.ended, queue.tally.answered) == (0, 1, 0)


def test_a_client_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stall(message: Message) -> None:
        if message["type"] == "http.response.body":
            await anyio.sleep_forever()

    monkeypatch.setattr(module, "STALLED_SECONDS", 0.05)
    queue = RequestQueue(0, lambda _: None)
    queue.app = answer
    assert [message["type"] for message in asked(queue, stall)] == ["http.response.start"]
    assert (queue.tally.stalled, queue.tally.inside, queue.tally.answered) == (1, 0, 0)


def test_a_client_that_never_ends_its_question_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> Message:
        await anyio.sleep_forever()
        return {}

    async def reading(_: Scope, receive: Receive, __: Send) -> None:
        await receive()

    monkeypatch.setattr(module, "STALLED_SECONDS", 0.05)
    queue = RequestQueue(0, lambda _: None)
    queue.app = reading
    start, body = asked(queue, receive=never)
    assert start["status"] == 408
    assert json.loads(body["body"])["error"]["code"] == "timeout"
    assert (queue.tally.inside, queue.tally.answered) == (0, 0)


def test_a_client_that_sends_its_question_drop_by_drop_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drop() -> Message:
        await anyio.sleep(0.02)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def reading(_: Scope, receive: Receive, __: Send) -> None:
        while (await receive())["more_body"]:
            pass

    monkeypatch.setattr(module, "STALLED_SECONDS", 0.1)
    queue = RequestQueue(0, lambda _: None)
    queue.app = reading
    assert asked(queue, receive=drop)[0]["status"] == 408
    assert (queue.tally.inside, queue.tally.stalled) == (0, 1)


def test_a_client_whose_question_is_whole_may_wait_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = iter([{"type": "http.request"}, {"type": "http.disconnect"}])

    async def slow() -> Message:
        message: Message = next(messages)
        if message["type"] == "http.disconnect":
            await anyio.sleep(0.2)
        return message

    async def reading(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        await answer(scope, receive, send)

    monkeypatch.setattr(module, "STALLED_SECONDS", 0.05)
    queue = RequestQueue(0, lambda _: None)
    queue.app = reading
    assert len(asked(queue, receive=slow)) == 3


def test_numbers_stand_in_prometheus_s_format() -> None:
    samples = [
        Sample("tokens_total", "counter", "Tokens.", 3, 'kind="read"'),
        Sample("tokens_total", "counter", "Tokens.", 4, 'kind="written"'),
        Sample("window_bias", "gauge", "Per cent.", math.nan),
        Sample("gain", "gauge", "Gain.", 1.25),
    ]
    assert exposition(samples) == (
        "# HELP edgebias_tokens_total Tokens.\n"
        "# TYPE edgebias_tokens_total counter\n"
        'edgebias_tokens_total{kind="read"} 3\n'
        'edgebias_tokens_total{kind="written"} 4\n'
        "# HELP edgebias_window_bias Per cent.\n"
        "# TYPE edgebias_window_bias gauge\n"
        "edgebias_window_bias NaN\n"
        "# HELP edgebias_gain Gain.\n"
        "# TYPE edgebias_gain gauge\n"
        "edgebias_gain 1.25\n"
    )

"""Damaged responses, each for another prompt: no traceback, no answer lost, none paid twice."""

from __future__ import annotations

import gzip
import json
import random
import sqlite3
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from scripted_endpoint import KEY, Said, Scripted, completion, question

from edgebias.backends.base import Generation, GenerationRequest, GenerationSettings
from edgebias.backends.registry import open_backend
from edgebias.core.errors import InputError
from edgebias.core.service_refusal import SERVICE_REFUSAL

BATCH, SEED = 40, 20261130
TOP = [{"token": token, "logprob": logprob, "bytes": [65]} for token, logprob in (("A", -0.1), ("B", -2.5), ("C", -9))]
WHOLE = completion("B", logprobs={"content": [{"token": "B", "logprob": -0.1, "top_logprobs": TOP}]}) | {
    "id": "1",
    "created": 1,
    "system_fingerprint": "fp_1",
}
ERROR = {"error": {"message": "no", "type": "invalid_request_error", "param": "seed", "code": "bad"}}
GOOGLE = [{"error": {"code": 429, "message": "retry in 0s", "details": [{"@type": "RetryInfo", "retryDelay": "0s"}]}}]
FASTAPI = {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs", "type": "extra_forbidden"}]}
STATUSES = (*[200] * 12, 201, 204, 301, 400, 400, 401, 403, 404, 408, 422, 429, 429, 451, 500, 502, 503, 504, 599)
FOREIGN: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    10**40,
    "",
    " ",
    "\x00",
    "\u2028\x85",
    "\ud800",
    "B",
    KEY,
    [],
    {},
    [[]],
)
"""What a value is replaced by; a half character is what JSON can escape and no file can hold."""


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the values in a JSON value are."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, entry in inner for place in places(entry, (*here, key)))]


def changed(value: Any, place: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    copy = json.loads(json.dumps(value))
    parent = copy
    for key in place[:-1]:
        parent = parent[key]
    change(parent, place[-1])
    return copy


def damaged(value: Any, chance: random.Random) -> Any:
    """Replace, remove or double one value in a JSON value."""
    inside = places(value)[1:]
    if not inside:
        return value
    place, foreign = chance.choice(inside), chance.choice((*FOREIGN, value))
    changes: tuple[Callable[[Any, Any], None], ...] = (
        lambda parent, key: parent.__setitem__(key, foreign),
        lambda parent, key: parent.__delitem__(key),
        lambda parent, key: parent.__setitem__(key, [parent[key]] * 2),
    )
    return changed(value, place, chance.choice(changes))


def mutated(chance: random.Random) -> Said:
    """Damage one of the bodies: in its values, in its text, in its bytes, in its envelope."""
    value: Any = chance.choice((WHOLE, WHOLE, WHOLE, ERROR, GOOGLE, FASTAPI))
    status = chance.choice(STATUSES)
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        value = damaged(value, chance)
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5 or "\\ud800" in json.dumps(value))
    data = text.encode()
    headers: dict[str, str] = {}
    match chance.randrange(14):
        case 0:
            data = data[: chance.randrange(len(data) + 1)]
        case 1:
            at = chance.randrange(len(data))
            data = data[:at] + bytes(chance.randrange(256) for _ in range(3)) + data[at + 1 :]
        case 2:
            data = data + data
        case 3:
            data = f"data: {text}\n\ndata: [DONE]\n\n".encode()
        case 4:
            data = f"<html><title>{text}</title>{chance.choice(('<', '', '</html>'))}".encode()
            headers["Content-Type"] = "text/html"
        case 5:
            data, headers["Content-Encoding"] = gzip.compress(data, mtime=0)[: chance.choice((None, -4, 5))], "gzip"
        case 6:
            headers["Content-Encoding"] = chance.choice(("gzip", "deflate", "br", "zstd", "x"))
        case 7:
            headers["Content-Type"] = chance.choice(
                ("", "text/event-stream", "application/json; charset=utf-16", "\xff")
            )
        case 8:
            data = text.replace("-0.1", chance.choice(("-Infinity", "NaN", "1.2e-7", "-1e999", '"-1"'))).encode()
        case 9:
            data = chance.choice((b"", b"\xef\xbb\xbf" + data, b"[" * 5000, b"null", b'"B"', b"1" * 5000, data[1:]))
        case 10:
            headers["Location"] = chance.choice(("", "http://[::1", "https://h.invalid/" + KEY, "//", "\xff"))
    if status == 204:
        data = b""  # a body would be taken for the next response
    wait = chance.choice(("0", "0", "-1", "Wed, 21 Oct 2015 07:28:00 GMT"))
    return Said(data, status, {"Retry-After": wait} | headers, chance.choice((0,) * 20 + (1,)) * min(1, len(data)))


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.fault)])
def test_mutated_bodies(count: int, endpoint: Scripted, environment: dict[str, Any]) -> None:
    chance = random.Random(SEED)
    bodies = {f"question {number}": mutated(chance) for number in range(count)}
    tries: Counter[str] = Counter()

    def says(asked: dict[str, Any], _: dict[str, str]) -> Said:
        content = asked["messages"][-1]["content"]
        tries[content] += 1
        return bodies[content] if tries[content] == 1 else Said(completion(f"whole {content}"))

    endpoint.says = says
    environment |= {"concurrency": 8, "timeout_s": 20, "logprobs": True}
    answers: list[Generation] = []
    told: list[str] = []
    sent = 0
    for start in range(0, count, BATCH):
        requests = [question(content, ("A", "B")) for content in list(bodies)[start : start + BATCH]]
        while len(answers) < start + BATCH:  # a try that fails for good is told, and the next run goes on
            answered, line, notes = run(environment, requests)
            answers += answered
            told += [line] if line else []
            sent += int(notes["requests_sent"])
            assert KEY not in json.dumps(notes)
    assert sum(tries.values()) == sent == len(endpoint.bodies)
    assert max(tries.values()) == 2  # the second response to a prompt is whole
    with closing(sqlite3.connect(environment["store"])) as database:
        states = dict(database.execute("SELECT state, COUNT(*) FROM ledger GROUP BY state"))
        answered_keys = "SELECT COUNT(*), COUNT(DISTINCT key) FROM ledger WHERE state = 'answered'"
        assert database.execute(answered_keys).fetchone() == (count, count)
        assert KEY not in "".join(map(str, database.execute("SELECT * FROM answers")))
    assert set(states) <= {"answered", "lost"}
    for content, answer in zip(bodies, answers, strict=True):
        assert answer.text == f"whole {content}" or tries[content] == 1
        answer.text.encode()  # no half character
        assert answer.scores is None or all(-9999 < logprob <= 0 for logprob in answer.scores.logprobs)
    for line in told:
        assert line.startswith(f"{endpoint.url}: ")
        assert line.isprintable()
        assert len(line) < 700
        assert KEY not in line
    refused = sum(answer.text.startswith(SERVICE_REFUSAL) for answer in answers)
    scored = sum(answer.scores is not None for answer in answers)
    kinds = Counter(line.removeprefix(f"{endpoint.url}: ")[:8] for line in told)
    went_on = f"{count - len(told)} of {count} went on ({refused} refused, {scored} scored)"
    print(f"{went_on}, told: {dict(kinds)}; {states}")
    endpoint.says = lambda asked, headers: Said(status=500)
    again, line, notes = run(environment, [question(content, ("A", "B")) for content in bodies])
    assert (again, line, notes["requests_sent"]) == (answers, "", "0")


def run(environment: dict[str, Any], requests: list[GenerationRequest]) -> tuple[list[Generation], str, dict[str, str]]:
    """Ask all: the answers and no line, or no answers and the line that a user would read; and the notes."""
    with open_backend(environment, {"endpoint_model": "m-1"}, None) as backend:
        answers: list[Generation] = []
        told = ""
        try:
            answers = list(backend.generate(requests, GenerationSettings(max_new_tokens=8)))
        except InputError as error:
            told = str(error)
            shown = "".join(traceback.format_exception(error))
            if KEY in shown:
                raise AssertionError("the key is in the traceback") from None
        return answers, told, backend.usage().notes

"""An endpoint that fails in every way and charges for what it answers: nothing lost, nothing paid twice."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import RetryCallState, Retrying

from edgebias.backends.base import Generation, GenerationRequest, GenerationSettings, Message, Prompt, Usage
from edgebias.backends.endpoint.chat_completion import read_completion
from edgebias.backends.endpoint.retry import MOST_ASKED_SECONDS, MOST_SECONDS, asked_seconds, wait_as_asked
from edgebias.backends.registry import open_backend
from edgebias.core.errors import InputError

KEY = "sk-very-secret-0123456789"
GREEDY = GenerationSettings(max_new_tokens=8)
FAULTS = ("429", "429 date", "500", "garbage", "cut JSON", "truncated", "drop", "hang", "not UTF-8")
UNCHARGED = {"429", "429 date", "500"}
Log = list[dict[str, Any]]


class Vendor(ThreadingHTTPServer):
    """Answers each content in its own way and counts; ``fault`` names what goes wrong with a try, if anything."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.fault: Callable[[str, int], str] = lambda content, tries: ""
        self.completion: Callable[[str], dict[str, Any]] = completion
        self.delay = 0.0
        self.tries: Counter[str] = Counter()
        self.faults: Counter[tuple[str, str]] = Counter()
        self.whole: Counter[str] = Counter()
        """Answers that were written and charged, by content."""
        self.asked: Log = []
        self.under_way = self.most_under_way = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: clients that are killed, and connections that are dropped, are the point."""


class Handler(BaseHTTPRequestHandler):
    """One try."""

    server: Vendor
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    counted = False

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        content, vendor = body["messages"][-1]["content"], self.server
        with vendor.lock:
            vendor.asked.append(body)
            vendor.tries[content] += 1
            vendor.under_way += 1
            self.counted = True
            vendor.most_under_way = max(vendor.most_under_way, vendor.under_way)
            fault = vendor.fault(content, vendor.tries[content])
            if fault:
                vendor.faults[content, fault] += 1
        try:
            time.sleep(vendor.delay)
            self.fail(fault) if fault else self.answer(content)
        finally:
            self.leave()

    def leave(self) -> None:
        """Count this try as under way no longer: before its client can know that it is over and send the next."""
        with self.server.lock:
            self.server.under_way -= self.counted
            self.counted = False

    def answer(self, content: str) -> None:
        with self.server.lock:
            self.server.whole[content] += 1
        self.send(200, json.dumps(self.server.completion(content)).encode())

    def fail(self, fault: str) -> None:
        match fault:
            case "429":
                self.send(429, b'{"error": {"message": "slow down"}}', {"Retry-After": "0"})
            case "429 date":
                self.send(429, b"{}", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
            case "garbage":
                self.send(200, b"<html>a proxy's page")
            case "cut JSON":
                self.send(200, json.dumps(completion("invented")).encode()[:-9])
            case "not UTF-8":
                self.send(200, b'{"choices": [{"message": {"content": "\xff"}}]}')
            case "truncated":
                self.send(200, json.dumps(completion("invented")).encode(), missing=7)
                self.close_connection = True
            case "hang" | "drop":
                if fault == "hang":
                    self.server.over.wait(1)
                    self.leave()  # the client gives up soon
                    self.server.over.wait(19)
                self.close_connection = True
            case status:
                self.send(int(status), b'{"error": {"message": "broken"}}')

    def send(self, status: int, data: bytes, headers: dict[str, str] | None = None, missing: int = 0) -> None:
        self.leave()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) - missing])

    def log_message(self, format: str, *args: Any) -> None:
        return None


def letter(content: str) -> str:
    return "ABC"[hashlib.sha256(content.encode()).digest()[0] % 3]


def completion(content: str) -> dict[str, Any]:
    return {
        "model": "served-1",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": f"{letter(content)}) {content[-40:]}"}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 4},
    }


def with_logprobs(content: str, top: list[Any]) -> dict[str, Any]:
    answer = completion(content)
    answer["choices"][0]["logprobs"] = {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": top}]}
    return answer


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    server = Vendor()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def environment(vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("EDGEBIAS_TEST_KEY", KEY)
    return {
        "backend": "openai",
        "endpoint": vendor.url,
        "api_key_env": "EDGEBIAS_TEST_KEY",
        "timeout_s": 5,
        "store": str(tmp_path / "answers.sqlite"),
    }


def question(content: str, seed: int = 0, options: tuple[str, ...] = ()) -> GenerationRequest:
    return GenerationRequest(Prompt(messages=(Message("user", content),)), seed, options)


def ask(
    environment: dict[str, Any], requests: list[GenerationRequest], settings: GenerationSettings = GREEDY
) -> tuple[list[Generation], Usage]:
    with open_backend(environment, {"endpoint_model": "m-1"}, None) as backend:
        return list(backend.generate(requests, settings)), backend.usage()


def rows(environment: dict[str, Any], query: str) -> list[Any]:
    with closing(sqlite3.connect(environment["store"])) as database:
        return database.execute(query).fetchall()


@pytest.mark.parametrize("n", [500, pytest.param(2000, marks=pytest.mark.fault)])
def test_nothing_is_lost_paid_twice_or_invented_whatever_the_endpoint_does(
    n: int, vendor: Vendor, environment: dict[str, Any]
) -> None:
    chance = random.Random(20250217)

    def fault(content: str, tries: int) -> str:
        weights = (4, 4, 4, 3, 3, 3, 3, 1, 2)
        return chance.choices(FAULTS, weights)[0] if tries <= 3 and chance.random() < 0.35 else ""

    vendor.fault = fault
    environment |= {"concurrency": 32, "timeout_s": 2, "max_retries": 4}
    requests = [question(f"question {number}") for number in range(n)]
    started = time.monotonic()
    answers, usage = ask(environment, requests)
    seconds = time.monotonic() - started
    assert [answer.text for answer in answers] == [
        completion(f"question {number}")["choices"][0]["message"]["content"] for number in range(n)
    ]
    kinds = Counter(kind for (_, kind), count in vendor.faults.items() for _ in range(count))
    assert set(kinds) == set(FAULTS)
    # A busy machine may let a whole answer come too late: the ledger then has one lost request more than faults.
    faults = Counter(
        content for (content, kind), count in vendor.faults.items() if kind not in UNCHARGED for _ in range(count)
    )
    requested = dict(rows(environment, "SELECT key, request FROM answers"))
    lost = Counter(
        json.loads(requested[key])["messages"][-1]["content"]
        for (key,) in rows(environment, "SELECT key FROM ledger WHERE state = 'lost'")
    )
    for content, whole in vendor.whole.items():
        assert whole == 1 + lost[content] - faults[content], content
    assert rows(environment, "SELECT state, COUNT(*) FROM ledger WHERE state != 'lost' GROUP BY state") == [
        ("answered", n)
    ]
    assert len(requested) == len(vendor.whole) == n
    assert int(usage.notes["requests_sent"]) == sum(vendor.tries.values())
    assert int(usage.notes["requests_lost_maybe_charged"]) == sum(lost.values())
    assert vendor.most_under_way <= 32
    late = sum(lost.values()) - sum(faults.values())
    print(f"{n} requests, {sum(vendor.tries.values())} tries, {dict(kinds)}, {late} late, {seconds:.1f} s")
    vendor.fault = lambda content, tries: "500"
    again, usage = ask(environment, requests)
    assert again == answers
    assert (usage.notes["requests_sent"], usage.notes["answers_replayed"]) == ("0", str(n))
    assert usage.prompt_tokens == usage.generated_tokens == 0
    assert usage.notes["system_fingerprint"] == "fp_1"
    assert KEY.encode() not in Path(environment["store"]).read_bytes()


@pytest.mark.fault
def test_a_job_that_is_killed_goes_on_from_its_store_and_writes_the_same_bytes(
    vendor: Vendor, environment: dict[str, Any], tmp_path: Path
) -> None:
    n, concurrency = 300, 8
    vendor.delay = 0.01
    items = pd.DataFrame(
        {
            "item_id": f"i{number:03}",
            "suite": "forced_choice",
            "category": "c",
            "condition": "ambiguous",
            "context": f"Story {number}.",
            "question": "Who?",
            "options": ["The man", "The woman", "Unknown"],
            "roles": ["stereotype", "anti_stereotype", "unknown"],
            "permutation": [0, 1, 2],
        }
        for number in range(n)
    )
    items.to_parquet(tmp_path / "items.parquet")

    def job(store: Path, responses: Path) -> subprocess.Popen[bytes]:
        settings = {
            "seed": 1,
            "infer": {"formats": {"forced_choice": ["letter"]}, "max_new_tokens": 8},
            "models.m": {"endpoint_model": "m-1"},
            "environments.paid": environment | {"concurrency": concurrency, "store": str(store)},
        }
        command = [sys.executable, "-m", "edgebias", "infer", "--settings", json.dumps(settings), "--suite"]
        command += ["forced_choice", "--items", str(tmp_path / "items.parquet"), "--responses", str(responses)]
        return subprocess.Popen(
            [*command, "--cost", f"{responses}.json"], stderr=subprocess.DEVNULL, env={**os.environ}
        )

    assert job(tmp_path / "whole.sqlite", tmp_path / "whole.parquet").wait(120) == 0
    vendor.whole.clear()
    vendor.tries.clear()
    store = Path(environment["store"])
    with job(store, tmp_path / "resumed.parquet") as killed:
        while sum(vendor.whole.values()) < n // 3:
            assert killed.poll() is None
            time.sleep(0.005)
        killed.send_signal(signal.SIGKILL)
    assert not (tmp_path / "resumed.parquet").exists()
    kept = {
        json.loads(request)["messages"][-1]["content"]
        for (request,) in rows(environment, "SELECT request FROM answers")
    }
    (under_way,) = rows(environment, "SELECT COUNT(*) FROM ledger WHERE state = 'sent'")[0]
    assert n // 3 - concurrency <= len(kept) < n
    assert under_way <= concurrency
    assert job(store, tmp_path / "resumed.parquet").wait(120) == 0
    assert (tmp_path / "resumed.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert {vendor.tries[content] for content in kept} == {1}
    assert sum(vendor.tries.values()) <= n + under_way  # only what was under way may be paid twice
    notes = json.loads((tmp_path / "resumed.parquet.json").read_text())["notes"]
    assert notes["answers_replayed"] == str(len(kept))


@pytest.mark.parametrize(
    ("budget", "enough_for"),
    [
        ({"requests": 10}, 10),
        ({"generated_tokens": 47}, 10),  # 9 * 4 and one reserved at 8, then 40 + 8 > 47
        ({"usd": 10 * (10 * 2 + 4 * 8) / 1e6 + 4 * 8 / 1e6 + (82 + 16) * 2 / 1e6}, 10),
    ],
)
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_budget_stops_before_it_overspends_and_a_larger_one_goes_on(
    vendor: Vendor, environment: dict[str, Any], budget: dict[str, float], enough_for: int, concurrency: int
) -> None:
    prices = {"m-1": {"prompt_usd_per_million": 2, "generated_usd_per_million": 8}}
    environment |= {"concurrency": concurrency, "prices": prices, "budget": budget}
    requests = [question(f"q{number:02}") for number in range(20)]
    (name,) = budget
    for _ in range(2):  # what was spent before counts
        with pytest.raises(InputError, match=rf"budget\.{name}: .* are spent .*raise budget\.{name}") as caught:
            ask(environment, requests)
        assert environment["store"] in str(caught.value)
    paid = rows(environment, "SELECT COUNT(*), SUM(generated_tokens), SUM(usd) FROM ledger")[0]
    assert abs(paid[0] - enough_for) <= 1
    assert all(
        spent <= budget.get(key, spent)
        for key, spent in zip(("requests", "generated_tokens", "usd"), paid, strict=True)
    )
    answers, usage = ask(environment | {"budget": {}}, requests)
    assert len(answers) == 20
    assert set(vendor.whole.values()) == {1}
    assert float(usage.notes["usd"]) == pytest.approx((20 - paid[0]) * (10 * 2 + 4 * 8) / 1e6)


def test_lost_requests_count_as_charged_and_refused_ones_do_not(vendor: Vendor, environment: dict[str, Any]) -> None:
    faults = {1: "garbage", 2: "429", 3: "500"}
    vendor.fault = lambda content, tries: faults.get(tries, "")
    ask(environment | {"concurrency": 1}, [question("q")])
    assert rows(environment, "SELECT state, generated_tokens FROM ledger") == [("lost", 8), ("answered", 4)]


def test_answers_from_before_there_was_a_price_are_priced_or_refused(
    vendor: Vendor, environment: dict[str, Any]
) -> None:
    ask(environment, [question("q")])
    with pytest.raises(InputError, match=r"budget\.usd: the price of 'm-1' is missing"):
        ask(environment | {"budget": {"usd": 1}}, [])
    price = {"prompt_usd_per_million": 1, "generated_usd_per_million": 1}
    other = environment | {"budget": {"usd": 1}, "prices": {"m-2": price}}
    with (
        pytest.raises(InputError, match="'m-1' whose price is unknown"),
        open_backend(other, {"endpoint_model": "m-2"}, None),
    ):
        pass
    ask(other | {"prices": {"m-1": price}}, [])
    assert rows(environment, "SELECT usd FROM ledger") == [(14 / 1e6,)]


def test_a_fault_for_good_stops_new_requests_and_keeps_what_was_under_way(
    vendor: Vendor, environment: dict[str, Any]
) -> None:
    vendor.delay = 0.05
    vendor.fault = lambda content, tries: "401" if content == "q1" else ""
    with pytest.raises(InputError, match=r"HTTP 401.*api_key_env"):
        ask(environment | {"concurrency": 4}, [question(f"q{number}") for number in range(100)])
    assert len(vendor.asked) < 12
    assert rows(environment, "SELECT COUNT(*) FROM answers") == [(sum(vendor.whole.values()),)]


def test_equal_requests_are_paid_once_but_not_draws_with_other_seeds(
    vendor: Vendor, environment: dict[str, Any]
) -> None:
    vendor.delay = 0.02
    environment |= {"omit": ["seed"], "concurrency": 8}
    answers, _ = ask(environment, [question("q", seed) for seed in (1, 1, 1, 2, 2)])
    assert len(answers) == 5
    assert vendor.whole == {"q": 2}
    assert "seed" not in vendor.asked[0]


@pytest.mark.slow
def test_two_processes_that_ask_the_same_at_once_pay_once_even_if_one_is_killed(
    vendor: Vendor, environment: dict[str, Any]
) -> None:
    n, program = (
        12,
        (
            "import json, sys; from edgebias.backends.base import *\n"
            "from edgebias.backends.registry import open_backend\n"
            "environment, n = json.loads(sys.argv[1]), int(sys.argv[2])\n"
            "ask = [GenerationRequest(Prompt(messages=(Message('user', f'q{i}'),))) for i in range(n)]\n"
            "with open_backend(environment, {'endpoint_model': 'm-1'}, None) as backend:\n"
            "    print('ready', flush=True); sys.stdin.readline()\n"
            "    print([answer.text for answer in backend.generate(ask, GenerationSettings(max_new_tokens=8))])\n"
        ),
    )

    def process() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program, json.dumps(environment), str(n)]
        started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        return started

    def go(started: subprocess.Popen[str]) -> None:
        assert started.stdin is not None
        started.stdin.write("\n")
        started.stdin.flush()

    vendor.delay = 0.2
    both = [process(), process()]
    for started in both:
        go(started)
    first, second = [started.communicate(timeout=60)[0] for started in both]
    assert first == second
    assert Counter(vendor.whole.values()) == {1: n}

    Path(environment["store"]).unlink()
    vendor.tries.clear()
    vendor.delay = 1.0
    killed, other = process(), process()
    with killed, other:
        go(killed)
        while not vendor.tries:
            time.sleep(0.01)
        vendor.delay = 0.0
        go(other)
        killed.kill()
        assert other.communicate(timeout=60)[0] == first
    assert max(vendor.tries.values()) <= 2  # asked by the one that was killed, and again


def test_answers_come_in_the_order_of_requests_and_a_consumer_may_leave(
    vendor: Vendor, environment: dict[str, Any]
) -> None:
    vendor.delay = 0.02
    with open_backend(environment, {"endpoint_model": "m-1"}, None) as backend:
        answers = backend.generate([question(f"q{number}") for number in range(200)], GREEDY)
        assert next(answers).text.endswith("q0")
        answers.close()  # type: ignore[attr-defined]
    assert 1 <= len(vendor.asked) <= 12


def test_without_a_store_a_rerun_asks_again(vendor: Vendor, environment: dict[str, Any]) -> None:
    for _ in range(2):
        _, usage = ask(environment | {"store": None}, [question("q")])
    assert vendor.whole == {"q": 2}
    assert "answers_replayed" not in usage.notes


@pytest.mark.parametrize(
    ("top", "scores"),
    [
        (
            [{"token": "B", "logprob": -2.0}, {"token": "A", "logprob": -0.25}, {"token": " A", "logprob": -3}],
            (-0.25, -2.0),
        ),
        ([{"token": "A", "logprob": -0.25}], None),
        ([{"token": "A", "logprob": -0.25}, {"token": "B", "logprob": -9999.0}], None),
        ([{"token": "A", "logprob": -0.25}, {"token": "B", "logprob": 0.5}], None),
        ([{"token": "A", "logprob": -0.25}, {"token": "B", "logprob": "-2"}], None),
        ([{"token": "A", "logprob": -0.25}, {"token": "A", "logprob": -2}, {"token": "B", "logprob": -2}], None),
        (["A", "B"], None),
    ],
)
def test_letters_have_scores_where_the_endpoint_tells_all_of_them(
    vendor: Vendor, environment: dict[str, Any], top: list[Any], scores: tuple[float, ...] | None
) -> None:
    vendor.completion = lambda content: with_logprobs(content, top)
    environment |= {"logprobs": True}
    for _ in range(2):  # the second time from the store
        (answer,), _ = ask(environment, [question("q", options=("A", "B"))])
        assert (answer.scores and answer.scores.logprobs) == scores
    assert (vendor.asked[0]["logprobs"], vendor.asked[0]["top_logprobs"]) == (True, 20)


def test_log_probabilities_are_asked_for_only_where_they_are_wanted_and_options_are_letters(
    vendor: Vendor, environment: dict[str, Any]
) -> None:
    ask(environment, [question("q", options=("A", "B"))])
    ask(environment | {"logprobs": True}, [question("q"), question("q", options=("yes", "no"))])
    assert not any("logprobs" in body for body in vendor.asked)


def test_the_limit_on_length_has_the_name_that_the_endpoint_wants_and_bounds_the_budget(
    vendor: Vendor, environment: dict[str, Any]
) -> None:
    renamed = environment | {"max_tokens_field": "max_completion_tokens", "budget": {"generated_tokens": 11}}
    ask(renamed, [question("q")])  # 8 reserved, 4 paid
    assert vendor.asked[0]["max_completion_tokens"] == 8
    assert "max_tokens" not in vendor.asked[0]
    with pytest.raises(InputError, match=r"budget\.generated_tokens"):
        ask(renamed, [question("another")])  # 4 paid and 8 reserved are more than 11
    assert len(vendor.asked) == 1


def test_extra_fields_are_sent_and_make_another_request(vendor: Vendor, environment: dict[str, Any]) -> None:
    for extra in ({}, {"top_k": 0, "min_p": 0.0}, {"top_k": 0, "min_p": 0.0}):
        ask(environment | {"extra": extra}, [question("q")])
    assert [body.get("top_k") for body in vendor.asked] == [None, 0]  # the third is in the store
    assert vendor.asked[1]["min_p"] == 0.0


def test_a_wait_that_the_endpoint_asks_for_is_kept(vendor: Vendor, environment: dict[str, Any]) -> None:
    class Patient(Handler):
        def fail(self, fault: str) -> None:
            self.send(429, b"{}", {"Retry-After": "1"})

    vendor.RequestHandlerClass = Patient
    vendor.fault = lambda content, tries: "429" if tries == 1 else ""
    started = time.monotonic()
    ask(environment, [question("q")])
    assert time.monotonic() - started >= 1


def test_a_response_that_trickles_ends_in_time(vendor: Vendor, environment: dict[str, Any]) -> None:
    class Trickling(Handler):
        def answer(self, content: str) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            with suppress(OSError):
                for _ in range(100):
                    self.wfile.write(b" ")
                    time.sleep(0.05)

    vendor.RequestHandlerClass = Trickling
    started = time.monotonic()
    with pytest.raises(InputError, match=r"in time.*raise timeout_s"):
        ask(environment | {"timeout_s": 0.3, "max_retries": 0}, [question("q")])
    assert time.monotonic() - started < 3


def test_an_endpoint_that_repeats_the_key_does_not_bring_it_into_the_store(
    vendor: Vendor, environment: dict[str, Any]
) -> None:
    vendor.completion = lambda content: completion(f"{KEY}")
    (answer,), _ = ask(environment, [question("q")])
    assert answer.text.endswith("***")
    assert KEY.encode() not in Path(environment["store"]).read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"budget": {"usd": 0}}, r"budget\.usd: a number above 0"),
        ({"budget": {"requests": 1.5}}, r"budget\.requests: a whole number above 0"),
        ({"budget": {"euro": 1}}, "budget: unknown key 'euro'; allowed keys: requests"),
        ({"budget": 5}, "budget: a mapping is needed"),
        ({"budget": {"requests": 1}, "store": None}, "budget: .* store"),
        ({"budget": {"generated_tokens": 9}, "omit": ["max_tokens"]}, "omit: .* max_tokens"),
        ({"prices": {"m-1": {"prompt_usd_per_million": 1}}}, r"prices\.m-1\.generated_usd_per_million"),
        ({"prices": {"m-1": {"prompt_usd_per_million": -1, "generated_usd_per_million": 1}}}, "at least 0"),
        ({"concurrency": 0}, "concurrency: a whole number of at least 1"),
        ({"max_retries": "4"}, "max_retries: a whole number"),
        ({"timeout_s": 0}, "timeout_s: a number of seconds"),
        (
            {"budget": {"generated_tokens": 9}, "max_tokens_field": "max_completion_tokens"}
            | {"omit": ["max_completion_tokens"]},
            "omit: .* max_completion_tokens",
        ),
        ({"logprobs": "yes"}, "logprobs: true or false"),
        ({"max_tokens_field": "length"}, "max_tokens_field: one of max_tokens, max_completion_tokens"),
        ({"extra": {"n": 2}}, "extra: n is set by the study itself"),
        ({"extra": ["top_k"]}, "extra: request fields by name"),
        ({"store": "/proc/nowhere/x.sqlite"}, "store: /proc/nowhere/x.sqlite cannot be opened"),
        ({"endpoint": "loopback"}, "store: endpoint loopback"),
        ({"endpoint": "loopback", "store": None, "extra": {"top_k": 1}}, "extra: endpoint loopback"),
    ],
)
def test_a_bad_setting_is_one_line(environment: dict[str, Any], change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        ask(environment | change, [])
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_store_is_left_alone(environment: dict[str, Any], tmp_path: Path) -> None:
    text, other = tmp_path / "notes.txt", tmp_path / "other.sqlite"
    text.write_text("my notes, which are longer than the header of a database " * 20)
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE mine (x)")
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(InputError, match="is no response store"):
            ask(environment | {"store": str(path)}, [])
        assert path.read_bytes() == before


def test_the_store_is_named_after_the_host_where_none_is_given(
    vendor: Vendor, environment: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    del environment["store"]
    ask(environment, [question("q")])
    assert Path(f"data/paid_answers/127.0.0.1_{vendor.server_address[1]}.sqlite").is_file()


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "86400"}, MOST_ASKED_SECONDS),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:20 GMT"}, 20.0),
        ({"retry-after": "Wed, 31 Dec 2025 23:59:00 GMT"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
    ],
)
def test_the_wait_is_what_the_endpoint_names(headers: dict[str, str], seconds: float) -> None:
    assert asked_seconds(headers, NOW) == seconds


@given(st.integers(1, 2000), st.text(max_size=40))
def test_a_wait_is_always_bounded(failures: int, header: str) -> None:
    failure = OSError()
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = failures
    state.set_exception((OSError, failure, None))
    assert 0 < wait_as_asked(state) <= MOST_SECONDS
    vars(failure)["headers"] = {"retry-after": header}
    assert 0 <= wait_as_asked(state) <= MOST_ASKED_SECONDS


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "usage", "logprobs", "top_logprobs", "prompt_tokens", "token"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(_json)
def test_any_json_is_a_completion_or_refused(value: Any) -> None:
    for text in (
        json.dumps(value),
        json.dumps({"choices": [{"message": {"content": "A"}, "logprobs": value}], "usage": value}),
    ):
        with suppress(ValueError):
            read = read_completion(text)
            assert isinstance(read.text, str)
            assert all(logprob <= 0 for logprob in read.first_token.values())


def test_text_that_nests_too_deep_or_holds_half_a_character_is_harmless() -> None:
    with pytest.raises(ValueError, match="JSON"):
        read_completion("[" * 100_000)
    halved = read_completion('{"choices": [{"message": {"content": "a\\ud800"}}]}')
    assert halved.text.encode() == "a\ufffd".encode()

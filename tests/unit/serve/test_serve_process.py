"""Servers of a tiny model as real processes: OpenAI's client, more requests than places, clients that go, signals."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import httpx2
import numpy as np
import openai
import pandas as pd
import pytest

if TYPE_CHECKING:
    from tests.unit.serve.conftest import Server, Serving

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
LONG: dict[str, Any] = {"prompt": "Hello", "max_tokens": 450, "temperature": 0.0, "logit_bias": {"2": -100}}
"""An answer that takes a while: the end token never comes."""
HELD_OPEN: dict[str, Any] = LONG | {"n": 128, "stream": True}
"""A stream of so many answers that only its client ends it, however slowly others come to wait behind it."""


def client(server: Server, key: str = "none") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)


@pytest.fixture(scope="module")
def server(serving: Serving, tiny: Path, vector: Path) -> Iterator[Server]:
    """One server for what leaves no trace: the vector at a gain of 1, two places to wait."""
    with serving("--weights", tiny, "--control-vector", vector, "--queue", 2, "--logprobs") as running:
        yield running


@contextmanager
def held_open(server: Server) -> Iterator[None]:
    """Keep the model busy with one request, which its client breaks off at the end."""
    with httpx2.stream("POST", f"{server.url}/v1/completions", json=HELD_OPEN, timeout=60) as reply:
        lines = reply.iter_lines()  # the response is closed when they are forgotten
        assert next(lines).startswith("data:")
        yield


def logprobs(server: Server) -> list[float]:
    answer = client(server).completions.create(
        model="any", prompt="Who fell?", max_tokens=6, temperature=0.0, logprobs=1
    )
    found = answer.choices[0].logprobs
    assert found is not None
    return [float(value) for value in found.token_logprobs or []]


def test_openai_s_client_chats_and_streams(server: Server) -> None:
    ask = client(server).chat.completions
    whole = ask.create(model="any", messages=HELLO, max_tokens=12, temperature=0.0)
    parts = list(ask.create(model="any", messages=HELLO, max_tokens=12, temperature=0.0, stream=True))
    text = "".join(part.choices[0].delta.content or "" for part in parts)
    assert text == whole.choices[0].message.content != ""
    assert whole.usage is not None
    assert len(parts) > 3


def test_health_and_metrics_say_what_is_served(server: Server) -> None:
    assert server.get("/health").json() == {"status": "ok", "model": "tiny.gguf", "gain": 1.0}
    answers, read = server.metric("answers_total"), server.metric('tokens_total{kind="read"}')
    usage = client(server).chat.completions.create(model="any", messages=HELLO, max_tokens=3).usage
    assert usage is not None
    server.wait_for(lambda: server.metric("answers_total") == answers + 1)
    assert server.metric('tokens_total{kind="read"}') == read + usage.prompt_tokens
    assert server.metric("queue_waiting") == 0
    page = server.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE edgebias_gain gauge\nedgebias_gain 1\n" in page.text


@pytest.mark.slow
def test_behind_a_gate_that_is_shut_answers_are_those_of_the_model_as_it_is(
    serving: Serving, server: Server, tiny: Path, vector: Path, tmp_path: Path
) -> None:
    (tmp_path / "gate.json").write_text(json.dumps({"normal": [0.0] * 32, "threshold": 1.0}), encoding="utf-8")
    steered = ("--weights", tiny, "--logprobs", "--control-vector", vector)
    with serving(*steered, "--gate", tmp_path / "gate.json") as gated:
        shut = logprobs(gated)
        client(gated).chat.completions.create(model="any", messages=HELLO, max_tokens=2)
        assert gated.metric('gated_total{gate="shut"}') == 2
        assert gated.metric('gated_total{gate="open"}') == 0
    with serving(*steered, "--gain", 0) as plain:
        assert logprobs(plain) == shut != logprobs(server)


def test_what_does_not_fit_is_refused_in_openai_s_form(server: Server) -> None:
    with pytest.raises(openai.BadRequestError, match="context length"):
        client(server).completions.create(model="any", prompt="word " * 300, max_tokens=4)


def test_beyond_the_queue_requests_are_refused_and_every_one_let_in_is_answered(server: Server) -> None:
    def ask(_: int) -> httpx2.Response:
        return httpx2.post(f"{server.url}/v1/completions", json=LONG, timeout=120)

    admitted, refused = server.metric("requests_total"), server.metric("refused_total")
    with ThreadPoolExecutor(12) as pool:
        with held_open(server):
            asked = [pool.submit(ask, number) for number in range(12)]
            server.wait_for(lambda: server.metric("refused_total") == refused + 10)
        replies = [reply.result() for reply in asked]
    full = [reply for reply in replies if reply.status_code == 503]
    answered = [reply for reply in replies if reply.status_code == 200]
    assert (len(full), len(answered)) == (10, 2)
    assert all(reply.headers["retry-after"] == "1" for reply in full)
    assert {reply.json()["error"]["code"] for reply in full} == {"queue_full"}
    assert len({reply.json()["choices"][0]["text"] for reply in answered}) == 1
    assert server.metric("requests_total") == admitted + 1 + len(answered)
    assert server.metric("queue_waiting") == 0


def test_openai_s_client_comes_back_when_the_queue_was_full(server: Server) -> None:
    patient = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=20)

    def ask(_: int) -> str:
        return patient.completions.create(model="any", prompt="Hello", max_tokens=200).choices[0].text

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(ask, range(8)))) == 8


def test_a_client_that_goes_in_mid_stream_makes_room_for_the_next(server: Server) -> None:
    ended = server.metric("request_seconds_count")
    with httpx2.stream("POST", f"{server.url}/v1/completions", json=LONG | {"stream": True}, timeout=60) as reply:
        assert next(reply.iter_lines()).startswith("data:")
    server.wait_for(lambda: server.metric("request_seconds_count") == ended + 1)
    written = server.metric('tokens_total{kind="written"}')
    assert client(server).chat.completions.create(model="any", messages=HELLO, max_tokens=3).choices
    assert server.metric('tokens_total{kind="written"}') - written < 10  # the broken stream is not going on


def test_a_client_that_sends_half_a_request_and_goes_holds_nothing_up(server: Server) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        server.wait_for(lambda: server.metric("requests_total") > server.metric("request_seconds_count"))
    server.wait_for(lambda: server.metric("requests_total") == server.metric("request_seconds_count"))
    assert logprobs(server)


@pytest.mark.slow
def test_the_vector_changes_the_answers_and_gain_0_gives_those_of_the_model_as_it_is(
    server: Server, serving: Serving, tiny: Path, vector: Path
) -> None:
    with serving("--weights", tiny, "--logprobs") as plain:
        unsteered = logprobs(plain)
        assert plain.get("/health").json()["gain"] == 0.0
    with serving("--weights", tiny, "--logprobs", "--control-vector", vector, "--gain", 0) as zero:
        assert logprobs(zero) == unsteered
    assert logprobs(server) != unsteered


def test_a_key_is_asked_for_and_never_shown(serving: Serving, tiny: Path) -> None:
    secret = "key-of-this-test"
    with serving("--weights", tiny, "--api-key-env", "SERVE_KEY", environment={"SERVE_KEY": secret}) as running:
        with pytest.raises(openai.AuthenticationError):
            client(running, "wrong").chat.completions.create(model="any", messages=HELLO, max_tokens=2)
        assert client(running, secret).chat.completions.create(model="any", messages=HELLO, max_tokens=2).choices
        status, output, error = running.end()
    assert status == 0
    assert secret not in output + error


def test_the_environment_names_no_other_model_key_or_cache(serving: Serving, tiny: Path, tmp_path: Path) -> None:
    strange = {"MODEL": "/none.gguf", "API_KEY": "x", "CACHE": "1", "N_CTX": "8", "CONFIG_FILE": str(tmp_path / "no")}
    with serving("--weights", tiny, environment=strange) as running:
        assert client(running).chat.completions.create(model="any", messages=HELLO, max_tokens=2).choices


@pytest.mark.slow
def test_the_loop_judges_after_answers_steers_and_survives_a_restart(
    serving: Serving, tiny: Path, online: list[object], tmp_path: Path
) -> None:
    arguments = ["--weights", tiny, *online, "--state", tmp_path / "state.json", "--monitor-every", 2]

    def saved() -> dict[str, float]:
        state: dict[str, float] = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))["state"]
        return state

    with serving(*arguments) as running:
        assert running.metric("judged_total") == 0
        for number in range(1, 25):
            client(running).chat.completions.create(model="any", messages=HELLO, max_tokens=2)
            running.wait_for(lambda number=number: running.metric("judged_total") >= number // 2)  # type: ignore[misc]
        assert running.metric("judged_total") == 12
        assert 0.0 <= running.metric("window_bias") <= 100.0
        # The guard may still be reading, and move the gain once more.
        running.wait_for(lambda: saved()["gain"] == pytest.approx(running.get("/health").json()["gain"], abs=1e-6))
        status, _, error = running.end()
    assert (status, error) == (0, "")
    state = saved()
    assert state["judged"] == 12
    assert state["gain"] != 1.0
    with serving(*arguments) as again:
        assert again.metric("judged_total") == 12
        assert again.get("/health").json()["gain"] == state["gain"]


def test_a_monitor_item_that_does_not_fit_is_told_at_once(
    tiny: Path, online: list[object], tmp_path: Path, monitor: Path
) -> None:
    table = pd.read_parquet(monitor)
    table["options"] = [[f"{word} {'long ' * 90}" for word in ("one", "other", "third")]] * len(table)
    table.to_parquet(tmp_path / "items.parquet")
    changed = [tmp_path / "items.parquet" if argument == monitor else argument for argument in online]
    status, error = ended("--weights", tiny, *changed, "--state", tmp_path / "s.json", "--context", 256)
    assert status == 2
    assert error.startswith("error: --context: item 'calibration/00' of ")
    assert error.count("\n") == 1


def test_a_model_that_llama_cpp_does_not_know_ends_the_server_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / "strange.gguf"
    writer = gguf.GGUFWriter(path, "strange")
    writer.add_block_count(1)
    writer.add_embedding_length(4)
    writer.add_context_length(512)
    writer.add_tensor("token_embd.weight", np.zeros((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    status, error = ended("--weights", path, "--context", 256)
    assert (status, error.count("\n")) == (2, 1)
    assert error.startswith(f"error: {path}: llama.cpp cannot load it")


def ended(*arguments: object) -> tuple[int, str]:
    """Exit status and standard error of a server that cannot load what it is given."""
    command = [sys.executable, "-m", "edgebias", "serve", "--port", "0", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return result.returncode, result.stderr


def test_sigterm_during_an_answer_lets_it_end(serving: Serving, tiny: Path) -> None:
    with serving("--weights", tiny) as running, ThreadPoolExecutor(1) as pool:
        reply = pool.submit(httpx2.post, f"{running.url}/v1/completions", json=LONG, timeout=60)
        running.wait_for(lambda: running.metric("requests_total") == 1)
        status, _, error = running.end()
        assert reply.result().status_code == 200
    assert (status, error) == (0, "")


def test_sigterm_during_a_stream_ends_the_server_all_the_same(serving: Serving, tiny: Path) -> None:
    with serving("--weights", tiny) as running:
        body = LONG | {"stream": True}
        with httpx2.stream("POST", f"{running.url}/v1/completions", json=body, timeout=60) as reply:
            lines = reply.iter_lines()
            assert next(lines).startswith("data:")
            running.process.terminate()
            with suppress(httpx2.RemoteProtocolError):  # the stream is cut, and the client is told so
                for _ in lines:
                    pass
        status, _, error = running.end()
    assert status == 0
    assert "Traceback" not in error


@pytest.mark.slow
def test_while_requests_wait_no_item_is_asked(
    serving: Serving, tiny: Path, online: list[object], tmp_path: Path
) -> None:
    """Of eight answers in a row all but the last have somebody behind them; one item waits for the end of the row.

    The row stands before its first answer begins: it waits behind a stream that its client then breaks off.
    """
    with serving("--weights", tiny, *online, "--state", tmp_path / "state.json") as running:
        with ThreadPoolExecutor(8) as pool:
            with held_open(running):
                replies = [
                    pool.submit(httpx2.post, f"{running.url}/v1/completions", json=LONG, timeout=120) for _ in range(8)
                ]
                running.wait_for(lambda: running.metric("queue_waiting") == 8)
                assert running.metric("answers_total") == 0
            assert {reply.result().status_code for reply in replies} == {200}
        running.wait_for(lambda: running.metric("judged_total") == 1)
        assert running.metric("monitor_dropped_total") == 7


@pytest.mark.fault
def test_a_storm_of_clients_that_come_go_and_wait_loses_no_answer(
    serving: Serving, tiny: Path, online: list[object], tmp_path: Path
) -> None:
    """Whole answers, streams and broken streams at once, with the loop on: each place is given back."""

    def ask(number: int) -> tuple[int, str]:
        """How often the request was refused before it was let in, and what came of it."""
        body = LONG | {"max_tokens": 40 + number % 7, "stream": number % 3 > 0}
        for refusals in range(1000):
            with httpx2.stream("POST", f"{running.url}/v1/completions", json=body, timeout=120) as reply:
                if reply.status_code == 503:
                    time.sleep(0.1)
                    continue
                lines = reply.iter_lines()
                if number % 3 == 2:
                    next(lines)
                    return refusals, "gone"
                whole = '"finish_reason"' in next(lines) if number % 3 == 0 else "data: [DONE]" in list(lines)
                return refusals, "answered" if whole else "cut"
        return refusals, "refused"

    with serving("--weights", tiny, *online, "--state", tmp_path / "s.json", "--queue", 4) as running:
        with ThreadPoolExecutor(16) as pool:
            refusals, found = zip(*pool.map(ask, range(150)), strict=True)
        assert (found.count("answered"), found.count("gone")) == (100, 50)
        running.wait_for(lambda: running.metric("requests_total") == running.metric("request_seconds_count"))
        assert running.metric("refused_total") == sum(refusals) > 0
        assert running.metric("judged_total") + running.metric("monitor_dropped_total") <= running.metric(
            "answers_total"
        )
        status, _, error = running.end()
    assert (status, error) == (0, "")

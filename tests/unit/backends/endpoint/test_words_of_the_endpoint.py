"""An endpoint that refuses: its own words, one line, and the way out that fits."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_endpoint import Said, Scripted, ask, completion

from edgebias.backends.base import ContextError
from edgebias.backends.endpoint.retry import MOST_ASKED_SECONDS, asked_seconds
from edgebias.core.errors import InputError

ANSWER = Said(completion("B"))


def google(code: int, message: str, status: str, *details: Any) -> list[Any]:
    """What Google's endpoint sends: a list of one ``google.rpc.Status``."""
    return [{"error": {"code": code, "message": message, "status": status, "details": list(details)}}]


def retry_info(delay: Any) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def quota_failure(quota: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]}


EXHAUSTED = "RESOURCE_EXHAUSTED"
YOU_EXCEEDED = "You exceeded your current quota, please check your plan and billing details."
WAITS: list[tuple[Any, float]] = [
    (google(429, YOU_EXCEEDED, EXHAUSTED, quota_failure("RequestsPerMinute"), retry_info("38s")), 38),
    (google(429, "slow", EXHAUSTED, retry_info("1.5s")), 1.5),
    (google(429, "slow", EXHAUSTED, retry_info({"seconds": "7", "nanos": 5})), 7),
    (google(429, "Please retry in 38.213s.", EXHAUSTED), 38.213),
    ({"error": {"message": "slow"}, "retry_after_ms": 250}, 0.25),
    ({"error": {"message": "slow", "retry_after": 3}}, 3),
    ({"error": {"message": "slow", "metadata": {"headers": {"Retry-After": "4"}}}}, 4),
    ({"error": {"message": "Rate limit reached. Please try again in 1.5s. Visit the page."}}, 1.5),
    ({"error": {"message": "Please try again in 20ms."}}, 0.02),
    ({"error": {"message": "Please try again in 1m2.5s"}}, 62.5),
    ({"error": {"message": "Requests have exceeded the limit. Please retry after 26 seconds."}}, 26),
    ({"message": "Too many requests, wait 2 seconds"}, 2),
    ({"detail": "retry after 5 secs"}, 5),
    ({"error": {"message": "try again in 6 hours"}}, MOST_ASKED_SECONDS),
    ("Please retry in 9 s", 9),
    ({"error": "Model acme/m is currently loading", "estimated_time": 20.5}, 20.5),
]
NO_WAIT: list[Any] = [
    {"error": {"message": "try again later"}},
    {"error": {"message": "retry 3 times"}},
    {"retry_after": None},
    {"retry_after": "soon"},
    {"retry_after": True},
    {"retryDelay": []},
    {"retry_after": 10**400},
    "",
    "[" * 50_000,
]


@pytest.mark.parametrize(("body", "seconds"), WAITS, ids=lambda value: str(value)[:50])
def test_a_wait_is_read_in_the_body(body: Any, seconds: float) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    assert asked_seconds({}, text=text) == pytest.approx(seconds)
    assert asked_seconds({"retry-after": "1"}, text=text) == 1  # a header is what the standard knows


@pytest.mark.parametrize("body", NO_WAIT, ids=lambda value: str(value)[:30])
def test_a_body_without_a_wait_names_none(body: Any) -> None:
    assert asked_seconds({}, text=body if isinstance(body, str) else json.dumps(body)) is None


@given(st.text(max_size=60), st.text(max_size=10))
def test_a_wait_in_any_body_is_bounded(before: str, after: str) -> None:
    for text in (before, f"try again in {after}", json.dumps({"retryDelay": after}), f"wait 9{after}s"):
        asked = asked_seconds({}, text=text)
        assert asked is None or 0 <= asked <= MOST_ASKED_SECONDS


def test_a_wait_in_the_body_is_kept(endpoint: Scripted, environment: dict[str, Any]) -> None:
    endpoint.says_in_turn(Said(google(429, YOU_EXCEEDED, EXHAUSTED, retry_info("1.2s")), 429), ANSWER)
    started = time.monotonic()
    assert ask(environment)[0][0].text == "B"
    assert time.monotonic() - started >= 1.2


SPENT: dict[str, tuple[int, Any]] = {
    "openai": (429, {"error": {"message": YOU_EXCEEDED, "type": "insufficient_quota", "code": "insufficient_quota"}}),
    "openai without a code": (429, {"error": {"message": YOU_EXCEEDED}}),
    "hard limit": (400, {"error": {"message": "Billing hard limit reached", "code": "billing_hard_limit_reached"}}),
    "not active": (429, {"error": {"message": "Your account is not active", "code": "billing_not_active"}}),
    "deepseek": (402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}),
    "openrouter": (402, {"error": {"code": 402, "message": "This request requires more credits"}}),
    "an empty 402": (402, ""),
    "moonshot": (429, {"error": {"type": "exceeded_current_quota_error", "message": "suspended"}}),
    "anthropic": (400, {"error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}}),
    "google by the day": (
        429,
        google(429, YOU_EXCEEDED, EXHAUSTED, quota_failure("GenerateRequestsPerDayPerProject"), retry_info("38s")),
    ),
    "status 200": (200, {"error": {"message": YOU_EXCEEDED, "code": "insufficient_quota"}}),
}


@pytest.mark.parametrize("name", SPENT)
def test_a_spent_quota_is_told_at_once(endpoint: Scripted, environment: dict[str, Any], name: str) -> None:
    status, body = SPENT[name]
    endpoint.says_in_turn(Said(body, status))
    with pytest.raises(InputError, match=r"its quota or credit is spent: top it up") as caught:
        ask(environment)
    assert len(endpoint.bodies) == 1
    assert "\n" not in str(caught.value)


def openai(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None} | more}


EXTRA_SEED = {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}
USE_OTHER = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
NOT_0 = "Unsupported value: 'temperature' does not support 0 with this model."
PLAIN_HTTP = "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>"
OLLAMA = '{"error": {"message": "model \\"m-1\\" not found, try pulling it first", "type": "api_error"}}'
REFUSALS: dict[str, tuple[int, Any, str]] = {
    "fastapi": (422, EXTRA_SEED, r"body\.seed: Extra inputs are not permitted; name seed under omit"),
    "fastapi with two": (
        422,
        {"detail": [{"loc": ["body", "top_p"], "msg": "wrong"}, {"loc": ["body", "seed"], "msg": "no"}]},
        r"body\.top_p: wrong; body\.seed: no; name top_p and seed under omit",
    ),
    "param": (400, openai("Unknown parameter.", param="seed"), "Unknown parameter.; name seed under omit"),
    "quoted": (400, openai("property 'seed' is unsupported"), "name seed under omit"),
    "bare": (400, openai("Unrecognized request argument supplied: top_p"), "name top_p under omit"),
    "google": (
        400,
        google(400, 'Unknown name "seed": Cannot find field.', "INVALID_ARGUMENT"),
        "Cannot find field.; name seed under omit",
    ),
    "length": (400, openai(USE_OTHER, param="max_tokens"), "set max_tokens_field: max_completion_tokens"),
    "value": (400, openai(NOT_0, param="temperature", code="unsupported_value"), "name temperature under omit"),
    "logprobs": (400, openai("logprobs are not available", param="logprobs"), "set logprobs: false"),
    "an extra field": (422, {"detail": [{"loc": ["body", "top_k"], "msg": "no"}]}, "leave top_k out of extra"),
    "fields in a sentence": (422, {"detail": "Unexpected fields: {'top_k', 'seed'}"}, "name seed under omit"),
    "a pinned model": (400, {"detail": "Server is pinned to '/x'; requested 'm-1'."}, "check endpoint_model"),
    "model": (400, openai("Invalid value.", param="model"), "check endpoint_model"),
    "no model": (404, openai("The model `m-1` does not exist", code="model_not_found"), "check endpoint_model"),
    "ollama": (404, OLLAMA, r'model "m-1" not found, try pulling it first; check endpoint_model'),
    "roles": (400, openai("System role not supported", param="messages.[0].role"), "check that the model takes these"),
    "length of another limit": (
        400,
        openai("max_tokens is too large: 8. This model supports at most 4 completion tokens.", param="max_tokens"),
        "completion tokens.; set infer.max_new_tokens to what it takes",
    ),
    "one of two": (
        400,
        {"message": "`temperature` and `top_p` cannot both be specified for this model. Please use only one."},
        "; name top_p under omit",
    ),
    "no memory": (
        500,
        {"error": {"message": "model requires more system memory (5.5 GiB) than is available (3.2 GiB)"}},
        "; serve a smaller model or a shorter context there",
    ),
    "not named": (400, {"message": "bad"}, "HTTP 400: bad; name a parameter that it refuses under omit"),
    "a plain text": (400, "no such thing", "HTTP 400: no such thing;"),
    "problem+json": (403, {"title": "Forbidden", "detail": "not for you"}, "not for you; Forbidden; check"),
    "an error that is a text": (401, {"error": "bad token"}, "HTTP 401: bad token; check the key"),
    "vllm": (404, {"object": "error", "message": "The model `x` does not exist.", "code": 404}, "check endpoint_model"),
    "a gateway": (
        404,
        {"error": {"message": "Provider returned error", "metadata": {"raw": '{"message": "upstream says no"}'}}},
        "Provider returned error; upstream says no; check endpoint",
    ),
    "no endpoint": (404, "<html><title>Not Found</title></html>", "HTTP 404: Not Found; check endpoint"),
    "empty": (403, "", "HTTP 403: Forbidden; check what the key"),
    "unknown status": (499, "", "HTTP 499: no words; check that endpoint"),
    "another method": (405, "", r"HTTP 405: Method Not Allowed; check endpoint"),
    "https": (400, PLAIN_HTTP, "plain HTTP request was sent to HTTPS port; write https:// in endpoint"),
    "a page": (403, "<h1>Blocked</h1><script>x()</script><p>by\nthe <b>WAF</b></p>", "HTTP 403: Blocked by the WAF;"),
    "control characters": (403, "a\x1b[31mb\u202ec\x00d\r\ne", r"HTTP 403: a \[31mb c d e;"),
    "status 200, key": (200, openai("Incorrect API key", code="invalid_api_key"), "with an error: .*; check the key"),
    "status 200, number": (200, {"error": {"code": 401, "message": "no"}}, "with an error: no; check the key"),
    "status 200, field": (
        200, openai("Unknown parameter", param="seed"), "with an error: Unknown parameter; name seed under omit"
    ),
    "status 200, list": (200, google(403, "no", "PERMISSION_DENIED"), "with an error: no; check what the key"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_has_the_words_of_the_endpoint_and_the_way_out(
    endpoint: Scripted, environment: dict[str, Any], name: str
) -> None:
    status, body, words = REFUSALS[name]
    endpoint.says_in_turn(Said(body, status))
    with pytest.raises(InputError, match=words) as caught:
        ask(environment | {"extra": {"top_k": 0}, "logprobs": True}, options=("A", "B"))
    message = str(caught.value)
    assert message.startswith(f"{endpoint.url}: ")
    assert all(character.isprintable() for character in message)
    assert len(message) < 600
    assert len(endpoint.bodies) == 1


TRANSIENT: dict[str, tuple[int, Any]] = {
    "overloaded": (503, {"error": {"message": "overloaded"}}),
    "529": (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    "a page": (502, "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"),
    "status 200 of a gateway": (200, {"error": {"code": 502, "message": "Provider returned error"}}),
    "status 200, unknown": (200, {"error": {"message": "something"}}),
    "in the choice": (200, {"choices": [{"error": {"code": 502, "message": "gone"}, "finish_reason": "error"}]}),
    "early": (425, ""),
}


@pytest.mark.parametrize("name", TRANSIENT)
def test_what_may_be_gone_is_asked_again(endpoint: Scripted, environment: dict[str, Any], name: str) -> None:
    status, body = TRANSIENT[name]
    endpoint.says_in_turn(Said(body, status, {"Retry-After": "0"}), ANSWER)
    assert ask(environment)[0][0].text == "B"
    assert len(endpoint.bodies) == 2


@pytest.mark.parametrize(
    "body",
    [
        openai("This model's maximum context length is 8 tokens.", code="context_length_exceeded"),
        {"error": {"code": 400, "message": "the request exceeds the available context size"}},
        {"detail": "prompt is too long: 9 tokens > 8 maximum"},
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_prompt_that_is_too_long_is_that_of_every_backend(
    endpoint: Scripted, environment: dict[str, Any], body: Any
) -> None:
    endpoint.says_in_turn(Said(body, 400))
    with pytest.raises(ContextError, match="longer context"):
        ask(environment)


TOO_LONG: list[tuple[int, Any]] = [
    (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000"}),
    (400, {"error": {"message": "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000"}}),
    (400, google(400, "The input token count (12) exceeds the maximum number of tokens allowed (8).", "INVALID")),
    (413, {"error": {"message": "Request too large for model on tokens per minute (TPM): Limit 6", "type": "tokens"}}),
    (413, "<html><head><title>413 Request Entity Too Large</title></head></html>"),
]


@pytest.mark.parametrize(("status", "body"), TOO_LONG, ids=lambda value: str(value)[:60])
def test_every_way_to_say_that_a_prompt_is_too_long_is_read(
    endpoint: Scripted, environment: dict[str, Any], status: int, body: Any
) -> None:
    endpoint.says_in_turn(Said(body, status))
    with pytest.raises(ContextError, match="ask shorter items, or serve the model with a longer context"):
        ask(environment)


def test_a_redirect_that_names_a_user_shows_none(endpoint: Scripted, environment: dict[str, Any]) -> None:
    location = "https://me:hunter2@h.invalid/v1/chat/completions"
    endpoint.says_in_turn(Said("", 308, {"Location": location}))
    with pytest.raises(InputError, match=r"set endpoint to https://h\.invalid/v1$") as caught:
        ask(environment)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_told_and_not_followed(endpoint: Scripted, environment: dict[str, Any], status: int) -> None:
    with Scripted() as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.01,))
        thread.start()
        location = f"{other.url}/chat/completions?token=abc"
        endpoint.says_in_turn(Said("", status, {"Location": location}))
        with pytest.raises(
            InputError, match=f"redirects to {other.url}/chat/completions; set endpoint to {other.url}$"
        ):
            ask(environment)
        assert not other.bodies
        other.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Said(b"\x1f\x8bno gzip", headers={"Content-Encoding": "gzip"}), "a damaged body"),
        (
            Said(gzip.compress(b"{}", mtime=0)[:-9], headers={"Content-Encoding": "gzip"}),
            "something else than|damaged body",
        ),
        (Said(b"no deflate", headers={"Content-Encoding": "deflate"}), "a damaged body"),
        (Said(completion("B"), missing=9), "broke off its answer"),
        (Said(""), "an empty body"),
        (Said(" \n"), "an empty body"),
        (Said(b'{"choices": [{"message": {"content": "\xff"}}]}'), "something else than UTF-8"),
        (Said("<html><title>Sign in to the Wi-Fi</title>"), "something else than JSON .*Sign in to the Wi-Fi"),
        (Said("[" * 100_000), "something else than JSON"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_damaged_answer_is_asked_again_and_told(
    endpoint: Scripted, environment: dict[str, Any], said: Said, words: str
) -> None:
    endpoint.says_in_turn(said, ANSWER)
    assert ask(environment)[0][0].text == "B"
    endpoint.says_in_turn(said)
    with pytest.raises(InputError, match=words) as caught:
        ask(environment | {"max_retries": 0}, "another")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        Said(completion("B"), headers={"Content-Type": "text/html"}),
        Said(completion("B"), headers={"Content-Type": ""}),
        Said("\ufeff" + json.dumps(completion("B"))),
        Said(gzip.compress(json.dumps(completion("B")).encode(), mtime=0), headers={"Content-Encoding": "gzip"}),
        Said(completion("B"), status=201),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_answer_in_an_odd_envelope_is_an_answer(endpoint: Scripted, environment: dict[str, Any], said: Said) -> None:
    endpoint.says_in_turn(said)
    assert ask(environment)[0][0].text == "B"
    assert len(endpoint.bodies) == 1


REMOTE = "https://nowhere.invalid/v1"
PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


@pytest.fixture
def remote(environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An endpoint that is on no machine, asked once; no proxy or certificate is in the environment."""
    for name in (*PROXIES, *map(str.lower, PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    return environment | {"endpoint": REMOTE, "max_retries": 0}


def line_of(environment: dict[str, Any]) -> str:
    with pytest.raises(InputError) as caught:
        ask(environment)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("variable", ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_without_its_package_is_one_line(
    remote: dict[str, Any], monkeypatch: pytest.MonkeyPatch, variable: str, scheme: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "socksio", None)
    monkeypatch.setenv(variable, f"{scheme}://user:password@127.0.0.1:1")
    line = line_of(remote)
    assert variable in line
    assert "pip install socksio" in line
    assert "password" not in line


@pytest.mark.parametrize(
    "proxy", ["foo://user:password@127.0.0.1:1", "http://user:password@127.0.0.1:port", "socks4://h"]
)
def test_a_proxy_that_is_none_is_one_line(remote: dict[str, Any], monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    line = line_of(remote)
    assert line.startswith("HTTPS_PROXY: names no HTTP or SOCKS proxy")
    assert "NO_PROXY" in line
    assert "password" not in line


def test_a_proxy_that_refuses_is_one_line(
    remote: dict[str, Any], endpoint: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = endpoint.url.removeprefix("http://").removesuffix("/v1")  # it knows no CONNECT
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:password@{address}")
    line = line_of(remote)
    assert "the proxy refuses" in line
    assert "check HTTPS_PROXY" in line
    assert "password" not in line


class Proxy(BaseHTTPRequestHandler):
    """Refuses, and repeats what it was told."""

    def do_CONNECT(self) -> None:
        self.send_response(407, f"no {self.headers['Proxy-Authorization']} hunter2hunter2")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        said = json.dumps({"error": {"message": f"no {self.headers['Proxy-Authorization']} hunter2hunter2"}}).encode()
        self.send_response(407)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:
        return None


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_the_password_of_a_proxy_is_in_no_message(
    remote: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    """However the proxy repeats it; the endpoint's own words stay."""
    caplog.set_level(logging.DEBUG)
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://me:hunter2hunter2@127.0.0.1:{proxy.server_address[1]}")
        line = line_of(remote | {"endpoint": f"{scheme}://nowhere.invalid/v1"})
        proxy.shutdown()
        thread.join()
    for text in (line, *(record.getMessage() for record in caplog.records)):
        assert "hunter2" not in text
        assert base64.b64encode(b"me:hunter2hunter2").decode()[:16] not in text
    assert "407" in line


@pytest.mark.parametrize("host", ["nowhere2.invalid:3128", "127.0.0.1:9"])
def test_a_proxy_that_cannot_be_reached_is_named(
    remote: dict[str, Any], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """The endpoint's own host may be well."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://{host}")
    assert line_of(remote).endswith("or the proxy in HTTPS_PROXY")


def test_a_log_of_tls_keys_that_cannot_be_written_is_named(
    remote: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    monkeypatch.setenv("SSLKEYLOGFILE", "/nowhere/keys")
    assert line_of(remote).startswith("SSLKEYLOGFILE: /nowhere/keys cannot be written")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "there is no such file"), ("", "holds no certificate"), ("-----BEGIN CERTIFICATE-----\nx", "holds no")],
)
def test_a_certificate_file_that_cannot_be_used_is_one_line(
    remote: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, words: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    line = line_of(remote)
    assert line.startswith(f"SSL_CERT_FILE: {path} ")
    assert words in line


def test_an_http_endpoint_needs_no_certificate_and_a_local_one_no_proxy(
    endpoint: Scripted, environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    assert ask(environment)[0][0].text == "B"


def test_a_host_that_is_unknown_is_one_line(remote: dict[str, Any]) -> None:
    assert f"{REMOTE}: cannot be reached: its host is unknown" in line_of(remote)


@contextmanager
def listening(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A port that says ``answer`` to whatever comes, through TLS where there is a ``context``."""
    over = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(0.05)

        def serve() -> None:
            while not over.is_set():
                with suppress(OSError):
                    client, _ = server.accept()
                    client.settimeout(2)
                    with closing(client if context is None else context.wrap_socket(client, server_side=True)) as wire:
                        wire.recv(65536)
                        wire.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        over.set()
        thread.join()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.example ESMTP\r\n", b""])
def test_https_where_plain_http_is_spoken_is_one_line(environment: dict[str, Any], answer: bytes) -> None:
    with listening(answer) as port:
        line = line_of(environment | {"endpoint": f"https://127.0.0.1:{port}/v1", "max_retries": 0})
    assert "http://" in line.replace("https://", "").partition("; ")[2] or "cannot be reached" in line


@pytest.mark.parametrize("alert", [b"\x15\x03\x01\x00\x02\x02\x46", b"\x15\x03\x03\x00\x02\x02\x28"])
def test_http_where_tls_is_spoken_is_one_line(environment: dict[str, Any], alert: bytes) -> None:
    with listening(alert) as port:
        line = line_of(environment | {"endpoint": f"http://127.0.0.1:{port}/v1", "max_retries": 0})
    assert "something else than HTTP" in line
    assert "https://" in line


def test_a_port_that_hangs_up_is_one_line(environment: dict[str, Any]) -> None:
    with listening(b"") as port:
        line = line_of(environment | {"endpoint": f"http://127.0.0.1:{port}/v1", "max_retries": 0})
    assert "cannot be reached, or broke off its answer" in line
    assert "https://" in line


def test_a_certificate_that_is_not_trusted_is_told_at_once_and_taken_once_it_is_named(
    endpoint: Scripted, environment: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl: it makes the certificate of this test")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    making = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    making += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(making, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    endpoint.socket = context.wrap_socket(endpoint.socket, server_side=True)
    secure = environment | {"endpoint": endpoint.url.replace("http:", "https:")}
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(InputError, match=r"certificate is not trusted \(.*\); set SSL_CERT_FILE"):
        ask(secure)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert ask(secure)[0][0].text == "B"

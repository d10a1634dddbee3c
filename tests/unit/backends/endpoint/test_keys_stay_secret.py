"""A key goes to its endpoint and nowhere else, in no form, whatever the endpoint echoes."""

from __future__ import annotations

import base64
import html
import json
import logging
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scripted_endpoint import KEY, VARIABLE, Said, Scripted, ask, completion

from edgebias.backends.endpoint.secret import RUN, Secret
from edgebias.backends.endpoint.wire import OF_OPENAI, Wire
from edgebias.backends.registry import open_backend
from edgebias.backends.settings import EnvironmentSettings
from edgebias.core.errors import InputError
from edgebias.core.record import checked
from edgebias.core.yaml_file import read_yaml

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "repr": lambda key: repr(f"{key}\n"),
    "repr of bytes": lambda key: repr(f"Bearer {key}\r\n".encode()),
    "repr twice": lambda key: repr(repr(key)),
    "JSON": json.dumps,
    "JSON twice": lambda key: json.dumps(json.dumps(key)),
    "JSON, all escaped": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "JSON, all escaped twice": lambda key: json.dumps("".join(f"\\u{ord(c):04X}" for c in key)),
    "C": lambda key: "".join(f"\\x{ord(c):02X}" for c in key),
    "octal": lambda key: "".join(f"\\{ord(c):03o}" for c in key),
    "JavaScript": lambda key: "".join(f"\\u{{{ord(c):x}}}" for c in key),
    "percent": lambda key: quote(key, safe=""),
    "percent, all": lambda key: "".join(f"%{ord(c):02x}" for c in key),
    "percent twice": lambda key: quote("".join(f"%{ord(c):02X}" for c in key)),
    "HTML": html.escape,
    "HTML, decimal": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "HTML, hexadecimal": lambda key: html.escape("".join(f"&#x{ord(c):X};" for c in key)),
    "hexadecimal": lambda key: key.encode().hex(),
    "HEXADECIMAL": lambda key: key.encode().hex().upper(),
    "hexadecimal with colons": lambda key: key.encode().hex(":"),
    "hexadecimal with spaces": lambda key: key.encode().hex(" ").upper(),
    "an array of bytes": lambda key: ", ".join(f"0x{byte:02x}" for byte in key.encode()),
    "a list of numbers": lambda key: str(list(key.encode())),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of the header": lambda key: base64.b64encode(f"Authorization: Bearer {key}\r\nHost: x".encode()).decode(),
    "base64 of Basic": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "base64 of a URL": lambda key: base64.urlsafe_b64encode(f"a{key}".encode()).decode(),
    "base64 in JSON": lambda key: json.dumps(base64.b64encode(f"ab{key}".encode()).decode()).replace("/", "\\/"),
    "base64 in lines": lambda key: base64.encodebytes(f"Bearer {key}".encode() * 9).decode(),
    "another case": str.swapcase,
    "in lines": lambda key: "\n   ".join(key[start : start + 7] for start in range(0, len(key), 7)),
    "the end cut off": lambda key: key[: max(RUN, len(key) - 5)],
    "the start cut off": lambda key: key[min(5, max(0, len(key) - RUN)) :],
}
KEYS = st.one_of(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=200),
    st.from_regex(r"sk-(proj-)?[A-Za-z0-9_-]{20,150}", fullmatch=True),
    st.from_regex(r"[0-9a-f]{32,64}|AIza[A-Za-z0-9_-]{35}|gsk_[A-Za-z0-9]{52}|xai-[A-Za-z0-9]{80}", fullmatch=True),
    st.from_regex(r"eyJ[A-Za-z0-9_-]{10,80}\.eyJ[A-Za-z0-9_-]{10,200}\.[A-Za-z0-9_-]{20,80}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9+/]{20,60}={0,2}", fullmatch=True),
)


def parts(key: str) -> Iterator[str]:
    """Parts of a key in the forms that a reader would see at once; with a rest that is too short to be one."""
    for start in range(len(key) - RUN + 1):
        yield key[start : start + RUN].lower()


def assert_hidden(key: str, text: str, written: str) -> None:
    assert written not in text
    plain = "".join(text.split()).lower()
    assert key.lower() not in plain
    assert not any(part in plain for part in parts(key))
    data = key.encode()
    assert data.hex() not in plain.replace(":", "").replace("0x", "").replace(",", "")
    for before in range(3):
        inner = base64.b64encode(bytes(before) + data).decode()[4:-4].lower()
        assert len(inner) < 12 or inner not in plain


AROUND = ["{}", "before {} after", '{{"a": "{}", "b": 1}}', "x={}&y"]


@given(KEYS, st.sampled_from(sorted(FORMS)), st.sampled_from(AROUND))
@example("a\\u0041%41&amp;\\n", "JSON, all escaped", "{}")
@example("%41%42%43%44", "percent twice", "{}")
@example("&amp;&lt;&#65;", "HTML", "{}")
@example("\\n\\n\\n\\n\\t\\t", "as it is", "{}")
@example("11111111", "a list of numbers", "{}")
def test_no_form_of_any_key_is_left_in_a_text(key: str, form: str, around: str) -> None:
    secret, written = Secret(key), FORMS[form](key)
    hidden = secret.hide(around.format(written))
    assert_hidden(key, hidden, written)
    assert secret.hide(hidden) == hidden
    assert not secret.stands_in(hidden)
    assert key not in repr(secret)


LONG_KEY = "sk-proj-Ab3dEf6hIj9_lMn0pQr-StUvWx2yZ5aBcD8"
DUMPS: dict[str, Callable[[str], str]] = {
    "a list of characters": lambda key: str(list(key)),
    "characters with commas": ",".join,
    "characters with dots": ".".join,
    "invisible characters within": "\u200b".join,
    "invisible characters within, in JSON": lambda key: json.dumps("\u200b".join(key)),
    "soft hyphens": lambda key: "\u00ad".join(pieces(key)),
    "colours": lambda key: "\x1b[0m\x1b[31m".join(pieces(key)),
    "texts side by side": lambda key: "('" + "'\n '".join(pieces(key)) + "')",
    "texts added up": lambda key: "' + '".join(pieces(key)),
    "a quoted mail": lambda key: "\n> ".join(pieces(key)),
    "a difference": lambda key: "\n- ".join(pieces(key)),
    "octal numbers": lambda key: " ".join(f"{byte:03o}" for byte in key.encode()),
    "UTF-16 in hexadecimal": lambda key: key.encode("utf-16-le").hex(" "),
    "UTF-16 in base64": lambda key: base64.b64encode(key.encode("utf-16-le")).decode(),
    "the other UTF-16 in base64": lambda key: base64.b64encode(key.encode("utf-16-be")).decode(),
    "base64 twice": lambda key: base64.b64encode(base64.b64encode(f"user:{key}".encode())).decode(),
    "braces": lambda key: "".join(f"\\x{{{ord(c):x}}}" for c in key),
    "HTML without semicolons": lambda key: "".join(f"&#{ord(c)}" for c in key),
    "stars": lambda key: f"{key[:7]}{'*' * 20}{key[-4:]}",
    "dots": lambda key: f"{key[:9]}...{key[-6:]}",
    "bullets": lambda key: f"{key[:5]}••••••{key[-4:]}",
    "an ellipsis": lambda key: f"{key[:4]}…{key[-4:]}",
    "the end alone": lambda key: f"****{key[-4:]}",
    "the start alone": lambda key: f"{key[:6]}xxxxxxxx",
}


def pieces(key: str) -> list[str]:
    return [key[start : start + 7] for start in range(0, len(key), 7)]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("form", DUMPS)
def test_a_key_in_pieces_or_with_its_middle_hidden_is_not_left(form: str, around: str) -> None:
    """As dumps, wrapped logs and services that mask keys write it: at most two characters of it stand together."""
    secret, written = Secret(LONG_KEY), DUMPS[form](LONG_KEY)
    left = secret.hide(around.format(written)).replace(around.format(""), "")
    assert secret.hide(left) == left
    assert written not in left
    assert LONG_KEY[:4] not in left
    assert LONG_KEY[-4:] not in left
    assert len(left) <= len(around) + 12 + len(written) // 20


@pytest.mark.parametrize("text", ["wait...", "a ***bold*** word", "xxxx", "• item", "sk…", "", "... and so on"])
def test_a_mask_without_the_key_is_left_alone(text: str) -> None:
    assert Secret(LONG_KEY).hide(text) == text


@pytest.mark.parametrize("text", ["[", "*", "x...", "\\", "a", "%25", "&#"])
def test_a_long_text_takes_no_longer_than_it_is_long(text: str) -> None:
    secret = Secret(LONG_KEY)
    started = time.process_time()
    secret.hide(text * 50_000)
    assert time.process_time() - started < 10


@given(st.text(max_size=200), st.from_regex(r"sk-[A-Za-z0-9]{40}", fullmatch=True))
def test_a_text_without_the_key_is_left_alone(text: str, key: str) -> None:
    for whole in (text, json.dumps({"content": text})):
        assert Secret(key).hide(whole) == whole
        json.loads(Secret(key).hide(json.dumps({"content": f"{text}{key}{text}"})))  # what holds it stays whole


REFUSED = {
    "a line break at its end": (f"{KEY}\n", r"ends with a line break \(\\n\)"),
    "two of them": (f"{KEY}\r\n", r"ends with a line break \(\\n\)"),
    "a carriage return": (f"{KEY}\r", r"ends with a carriage return \(\\r\)"),
    "a tab": (f"{KEY}\t", r"ends with a tab"),
    "a space": (f"{KEY} ", "ends with a space"),
    "a space before": (f" {KEY}", "begins with a space"),
    "a zero-width space": (f"{KEY}\u200b", r"ends with U\+200B \(zero width space\)"),
    "a mark of the byte order": (f"\ufeff{KEY}", r"begins with U\+FEFF"),
    "a no-break space": (f"{KEY}\u00a0", r"ends with U\+00A0"),
    "a joiner within": (f"{KEY[:9]}\u200d{KEY[9:]}", r"has within it U\+200D"),
    "a soft hyphen within": (f"{KEY[:9]}\u00ad{KEY[9:]}", r"has within it U\+00AD"),
    "a line break within": (f"{KEY[:9]}\n{KEY[9:]}", "has within it a line break"),
    "a mark of direction": (f"\u202a{KEY}\u202c", r"ends with U\+202C"),
    "a line separator": (f"{KEY}\u2028", r"ends with U\+2028"),
    "next line": (f"{KEY}\x85", r"ends with U\+0085"),
    "an escape": (f"\x1b[1m{KEY}", r"begins with U\+001B \(a control character\)"),
    "delete": (f"{KEY}\x7f", r"ends with U\+007F"),
    "an umlaut": (f"{KEY}ü", r"ends with U\+00FC"),
    "a Cyrillic letter": (KEY.replace("e", "е", 1), r"has within it U\+0435"),
    "a dash of a word processor": (KEY.replace("-", "–", 1), r"has within it U\+2013"),
    "the word Bearer": (f"Bearer {KEY}", "begins with the word Bearer"),
    "quotes": (f'"{KEY}"', "stands in quotes"),
    "single quotes": (f"'{KEY}'", "stands in quotes"),
    "nothing but spaces": ("   ", "a space"),
    "too short": ("abc1234", "shorter than 8 characters"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(
    endpoint: Scripted, environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    value, words = REFUSED[name]
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(InputError, match=words) as caught:
        ask(environment)
    line = str(caught.value)
    assert line.startswith(f"api_key_env: the key in {VARIABLE} ")
    assert line.isprintable()
    assert_hidden(KEY, line, value)
    assert not endpoint.bodies


def test_a_byte_that_is_no_text_is_refused(environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, VARIABLE, f"{KEY}\udcff")
    with pytest.raises(InputError, match="ends with the byte 0xFF"):
        ask(environment)


WRONG_PLACES = {
    "the name of the variable": ({"api_key_env": KEY}, "api_key_env: the name of an environment variable is needed"),
    "a Groq key": ({"api_key_env": "gsk_" + "aB3" * 17}, "api_key_env: the name of an environment variable is needed"),
    "a Google key": ({"api_key_env": "AIzaSyA" + "b3X" * 10}, "api_key_env: the name of an environment variable"),
    "a hexadecimal key": ({"api_key_env": "A1B2" * 8}, "api_key_env: the name of an environment variable"),
    "the user": ({"endpoint": f"https://{KEY}@api.example.invalid/v1"}, "endpoint: "),
    "the password": ({"endpoint": f"https://me:{KEY}@api.example.invalid/v1"}, "endpoint: "),
    "another password": ({"endpoint": "https://me:hunter2hunter2@h.invalid/v1"}, "endpoint: the base URL names"),
    "the query": ({"endpoint": f"https://api.example.invalid/v1?key={KEY}"}, "endpoint: "),
    "another query": ({"endpoint": "https://h.invalid/v1?key=hunter2hunter2"}, "endpoint: the base URL goes on"),
    "the fragment": ({"endpoint": "https://api.example.invalid/v1#hunter2hunter2"}, "endpoint: the base URL goes on"),
    "the path": ({"endpoint": f"https://api.example.invalid/{KEY}/v1"}, "endpoint: holds the key"),
    "no URL": ({"endpoint": "me:hunter2hunter2@api.example.invalid/v1"}, "endpoint: what is given is neither"),
    "extra": ({"extra": {"api_key": KEY}}, "extra: holds the key"),
    "extra, encoded": ({"extra": {"a": [base64.b64encode(KEY.encode()).decode()]}}, "extra: holds the key"),
    "store": ({"store": f"/tmp/{KEY}.sqlite"}, "store: holds the key"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_PLACES)
def test_a_key_in_another_place_is_refused_without_being_shown(environment: dict[str, Any], name: str) -> None:
    change, words = WRONG_PLACES[name]
    with pytest.raises(InputError, match=words) as caught:
        ask(environment | change)
    line = str(caught.value)
    for secret in (KEY, "hunter2", str(change.get("api_key_env", KEY))):
        assert secret not in line
    if "endpoint" in change or "api_key_env" in change:
        if KEY in str(change.get("endpoint", "")) and "@" not in str(change) and "?" not in str(change):
            return  # a parameter file is read without the key, and a path is no place that is known to hold one
        with pytest.raises(InputError) as caught:
            checked(EnvironmentSettings, {"backend": "openai"} | change, "params.yaml")
        for secret in (KEY, "hunter2", str(change.get("api_key_env", KEY))):
            assert secret not in str(caught.value)


IN_A_FILE: dict[str, Any] = {
    "omit": [LONG_KEY, LONG_KEY],
    "store": [LONG_KEY],
    "timeout_s": LONG_KEY,
    "port": f"Bearer {LONG_KEY}",
    "backend": LONG_KEY,
    "budget": {LONG_KEY: 1},
    "prices": {LONG_KEY: {"a": 1}},
    "endpoint": [f"https://me:{LONG_KEY}@h.invalid/v1"],
    "api_key_env": [LONG_KEY],
    "max_retries": "AIza" + "bC4-" * 9,
    "concurrency": "0123456789abcdef" * 2,
    "extra": {"api_key": LONG_KEY},
    "extra, a header": {"extra_headers": {"Authorization": f"Bearer {LONG_KEY}"}},
    "extra, in a list": {"headers": [{"X-Api-Key": LONG_KEY}]},
}


@pytest.mark.parametrize("name", IN_A_FILE)
def test_a_key_that_stands_in_a_parameter_file_is_in_no_message(name: str) -> None:
    """Wherever it was put by mistake, and also where no variable holds it."""
    value = IN_A_FILE[name]
    with pytest.raises(InputError, match=r"^params\.yaml: ") as caught:
        checked(EnvironmentSettings, {"backend": "openai"} | {name.split(",")[0]: value}, "params.yaml")
    line = str(caught.value)
    for secret in (LONG_KEY, "bC4-bC4", "0123456789abcdef"):
        assert secret not in line
        assert secret[:12] not in line


def test_a_key_in_a_file_that_is_no_yaml_is_in_no_message(tmp_path: Path) -> None:
    for text in (f"{LONG_KEY}: 1\n{LONG_KEY}: 2\n", f"a: !!{LONG_KEY} x", f"a: *{LONG_KEY}", f"a: [{LONG_KEY}\x07]"):
        path = tmp_path / "params.yaml"
        path.write_text(text)
        with pytest.raises(InputError, match=r"params\.yaml: ") as caught:
            read_yaml(path)
        assert LONG_KEY[:12] not in str(caught.value)


def test_a_field_that_holds_a_key_is_refused_before_anything_is_asked(
    endpoint: Scripted, environment: dict[str, Any]
) -> None:
    """What a service takes in the body would be stored with the answer."""
    with pytest.raises(InputError, match=r"extra: 'api_key' is what a key is called") as caught:
        ask(environment | {"extra": {"api_key": "hunter2hunter2"}})
    assert "hunter2" not in str(caught.value)
    assert not endpoint.bodies
    assert ask(environment | {"extra": {"top_k": 3, "token": None}})[0][0].text == "B"


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "MY_KEY_2", "K8S_KEY", "openai_key", "key", "OpenAIKey", "OPENAI_API_KEY_OF_THE_LAB"]
)
def test_a_name_of_a_variable_that_is_not_set_is_told(environment: dict[str, Any], name: str) -> None:
    with pytest.raises(InputError, match=f"the environment variable {name} is not set"):
        ask(environment | {"api_key_env": name})


NO_URLS = ["http://", "http://:80/v1", "http://h:port/v1", "http://h:99999/v1", "http://[::1/v1", "https://h/v1 x", ""]
NO_URLS += ["ftp://h/v1", "h/v1", "http://h/\u200b", "https://h/v1/chat/completions", "https://h/v1/chat/completions/"]


@pytest.mark.parametrize("url", NO_URLS)
def test_a_url_that_cannot_be_asked_is_one_line(environment: dict[str, Any], url: str) -> None:
    with pytest.raises(InputError, match=r"^endpoint: ") as caught:
        ask(environment | {"endpoint": url})
    assert "\n" not in str(caught.value)


ECHOES: dict[str, Callable[[str], Said]] = {
    "an error": lambda text: Said({"error": {"message": text}}, 401),
    "a bare error": lambda text: Said(text, 403),
    "a page": lambda text: Said(f"<html><title>{text}</title><p>{text}</html>", 502, {"Retry-After": "0"}),
    "a field": lambda text: Said({"detail": [{"loc": ["header", text], "msg": text}]}, 422),
    "a filter": lambda text: Said({"error": {"code": "content_filter", "message": text}}, 400),
    "a redirect": lambda text: Said("", 307, {"Location": f"https://elsewhere.invalid/{quote(text)}?key={quote(text)}"}),
    "an answer": lambda text: Said(completion(f"The key is {text}")),
    "a refusal": lambda text: Said(completion(None, message={"content": None, "refusal": text})),
    "a model": lambda text: Said(completion("B") | {"model": text, "system_fingerprint": text}),
    "an error of status 200": lambda text: Said({"error": {"message": text, "code": 401}}),
    "no completion": lambda text: Said({"headers": {"Authorization": text}}, headers={"Retry-After": "0"}),
    "no JSON": lambda text: Said(f"{{'Authorization': '{text}'", headers={"Retry-After": "0"}),
    "a header": lambda text: Said(completion("B"), headers={"X-Echo": quote(text, safe=" -+/=.,:")}),
    "a damaged body": lambda text: Said(text, headers={"Content-Encoding": "gzip", "Retry-After": "0"}),
}  # fmt: skip


@pytest.mark.parametrize("place", range(len(ECHOES)), ids=list(ECHOES))
def test_whatever_an_endpoint_echoes_the_key_is_nowhere(
    endpoint: Scripted, environment: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, place: int
) -> None:
    """The forms take turns over the echoes; that every form is hidden is the property above."""
    caplog.set_level(logging.DEBUG)
    for name in list(FORMS)[place % 3 :: 3]:
        written = FORMS[name](KEY)
        endpoint.says_in_turn(list(ECHOES.values())[place](written))
        seen: list[str] = []
        raised: InputError | None = None
        try:
            answers, notes = ask(environment | {"max_retries": 0}, f"{name}?")
            seen += [answers[0].text, json.dumps(notes)]
        except InputError as error:
            raised = error
            seen += [str(error), *shown(error)]
        assert not foreign(raised), name
        seen += [record.getMessage() + str(record.exc_info) for record in caplog.records]
        caplog.clear()
        seen += [path.read_bytes().decode("utf-8", "replace") for path in tmp_path.glob("answers.sqlite*")]
        for text in seen:
            assert_hidden(KEY, text, written)
    assert {headers["authorization"] for headers in endpoint.headers} == {f"Bearer {KEY}"}


def shown(error: BaseException) -> Iterator[str]:
    """The traceback of ``error`` with the local variables of the package's functions."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if "/tests/" not in frame.filename])
    return told.format()


def foreign(error: BaseException | None) -> list[BaseException]:
    """Exceptions of the HTTP library behind ``error``: they hold the request."""
    found = []
    while error is not None:
        found += [error] if type(error).__module__.startswith(("httpx", "httpcore", "h11", "openai")) else []
        error = error.__cause__ or error.__context__
    return found


def test_a_fault_of_the_connection_has_no_request_behind_it(environment: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="cannot be reached") as caught:
        ask(environment | {"endpoint": "http://127.0.0.1:9/v1", "max_retries": 0})
    assert not foreign(caught.value)
    assert_hidden(KEY, "".join(shown(caught.value)), KEY)


def test_the_log_of_the_http_library_is_clean_and_ends_with_the_backend(
    endpoint: Scripted, environment: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint.says_in_turn(Said(completion("B"), headers={"X-Echo": f"Bearer {KEY}"}))
    ask(environment)
    assert any("***" in record.getMessage() for record in caplog.records)
    assert not logging.getLogger("httpcore2.http11").filters


@pytest.mark.slow
def test_a_stage_that_logs_everything_tells_no_key(
    endpoint: Scripted, environment: dict[str, Any], tmp_path: Path
) -> None:
    """Also the cost file, the responses, the store and what is printed."""
    endpoint.says_in_turn(
        Said(completion(f"B {KEY}") | {"model": KEY}, headers={"X-Echo": KEY}), Said({"error": {"message": KEY}}, 401)
    )
    pd.DataFrame(
        {"item_id": f"i{number}", "suite": "forced_choice", "category": "c", "condition": "ambiguous", "context": "x",
         "question": f"Who {number}?", "options": ["A man", "A woman"], "roles": ["stereotype", "anti_stereotype"],
         "permutation": [0, 1]} for number in range(2)
    ).to_parquet(tmp_path / "items.parquet")  # fmt: skip
    settings = {
        "seed": 1,
        "infer": {"formats": {"forced_choice": ["letter"]}, "max_new_tokens": 8},
        "models.m": {"endpoint_model": "m-1"},
        "environments.e": environment | {"concurrency": 1},
    }
    command = [sys.executable, "-c", "import logging, sys; logging.basicConfig(level=logging.DEBUG)\n"
               "from edgebias.cli import main; main(sys.argv[1:])", "infer", "--settings", json.dumps(settings),
               "--suite", "forced_choice", "--items", str(tmp_path / "items.parquet"), "--responses",
               str(tmp_path / "responses.parquet"), "--cost", str(tmp_path / "cost.json")]  # fmt: skip
    variables = os.environ | {"OPENAI_LOG": "debug", "HTTPX_LOG_LEVEL": "trace", VARIABLE: KEY}
    for status in (2, 0):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        for text in (done.stdout, done.stderr):
            assert_hidden(KEY, text, KEY)
        endpoint.says_in_turn(Said(completion(f"A {KEY}")))
    assert (tmp_path / "cost.json").is_file()
    for path in tmp_path.iterdir():
        assert KEY.encode() not in path.read_bytes()


ANOTHER = {
    "OPENAI_API_KEY": "sk-of-openai-000000",
    "OPENAI_ADMIN_KEY": "sk-admin-000000",
    "OPENAI_CUSTOM_HEADERS": "X-A: b",
}
ANOTHER |= {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj-1"}


def test_variables_of_openai_go_to_no_other_endpoint(
    endpoint: Scripted, environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ANOTHER.items():
        monkeypatch.setenv(name, value)
    ask(environment)
    sent = json.dumps(endpoint.headers)
    for value in ("org-1", "proj-1", "sk-of-openai", "sk-admin", "X-A", "x-a"):
        assert value not in sent


@pytest.mark.parametrize(
    ("url", "theirs"),
    [
        ("https://api.openai.com/v1", True),
        ("https://API.OpenAI.com:443/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("http://api.openai.com/v1", False),
        ("https://api.openai.com.evil.example/v1", False),
        ("https://evil-api.openai.com/v1", False),
        ("https://openai.example/api.openai.com/v1", False),
        ("https://openai.azure.com/v1", False),
    ],
)
def test_organisation_and_project_go_to_openai_alone(monkeypatch: pytest.MonkeyPatch, url: str, theirs: bool) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    with Wire(url, Secret(KEY), timeout_s=1, connections=1) as wire:
        sent = {name: wire._client.headers.get(name) for name in OF_OPENAI.values()}
    assert set(sent.values()) == ({"org-1", "proj-1"} if theirs else {None})


def test_an_organisation_that_cannot_be_sent_is_one_line(
    environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1\n")
    with pytest.raises(InputError, match=r"^OPENAI_ORG_ID: "):
        ask(environment | {"endpoint": "https://api.openai.com/v1"})


def test_the_key_of_the_loopback_server_is_as_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key is named, and nothing is hidden that is none."""
    assert Secret("no-key-needed", public=True).hide("no-key-needed") == "no-key-needed"
    with pytest.raises(InputError, match="loopback serves a GGUF file"):
        open_backend({"backend": "openai", "endpoint": "loopback"}, {}, None)

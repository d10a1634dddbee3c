"""OpenAI's protocol against a server of a tiny model: its official client's examples, and every way to ask wrongly."""

from __future__ import annotations

import asyncio
import http.client
import json
import math
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import httpx2
import openai
import pytest
from gguf import GGUFValueType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from edgebias.backends.base import GenerationRequest, GenerationSettings, Message, Prompt
from edgebias.backends.registry import open_backend
from edgebias.models.gguf import float_data, open_gguf, rewrite

if TYPE_CHECKING:
    from tests.unit.serve.conftest import Server, Serving

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
NO_END = {"0": -100, "2": -100}
"""No end token ever comes."""


def number_of(letter: str) -> str:
    """The token of an ASCII sign."""
    return str(ord(letter) - 33 + 3)


@pytest.fixture(scope="module")
def server(serving: Serving, tiny: Path) -> Iterator[Server]:
    with serving("--weights", tiny, "--name", "tiny", "--queue", 16) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def ask(server: Server, method: str = "POST", path: str = "/v1/chat/completions", **keys: Any) -> httpx2.Response:
    """What a client of no library gets: ``json`` or ``content`` and ``headers`` are passed on."""
    return httpx2.request(method, server.url + path, timeout=60, **keys)


def error(reply: httpx2.Response, status: int) -> dict[str, Any]:
    """The error of a reply, which must have OpenAI's form."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/json"
    (name,) = reply.json()
    found: dict[str, Any] = reply.json()[name]
    assert name == "error"
    assert set(found) == {"message", "type", "param", "code"}
    assert found["type"] == "invalid_request_error"
    return found


def chat(server: Server, **fields: Any) -> httpx2.Response:
    return ask(server, json={"messages": HELLO, "max_tokens": 4, "temperature": 0, **fields})


def events(reply: httpx2.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in reply.text.split("\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


# The examples of the official client's README and helpers page, with another address and fewer tokens.

TEXT = {number_of("Z"): 100}
"""A bias of the tokens under which this model, whose weights are random, begins with none that ends its answer."""


def test_example_chat(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model="gpt-5.2",
        max_completion_tokens=12,
        logit_bias=TEXT,
        messages=[
            {"role": "developer", "content": "Talk like a pirate."},
            {"role": "user", "content": "How do I check if a Python object is an instance of a class?"},
        ],
    )
    assert completion.choices[0].message.role == "assistant"
    assert completion.choices[0].message.content
    assert completion.model == "tiny"
    assert completion._request_id is not None
    assert completion._request_id.startswith("req_")


def test_example_async(server: Server) -> None:
    async def main() -> str | None:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            fields: dict[str, Any] = {"model": "gpt-5.2", "messages": HELLO, "max_tokens": 5, "logit_bias": TEXT}
            answer = await client.chat.completions.create(**fields)
            stream = await client.chat.completions.create(**fields, stream=True)
            async for chunk in stream:
                assert chunk.object == "chat.completion.chunk"
            return answer.choices[0].message.content

    assert asyncio.run(main())


def test_example_streaming_with_usage(client: openai.OpenAI) -> None:
    fields: dict[str, Any] = {"model": "gpt-5.2", "messages": HELLO, "max_tokens": 9, "temperature": 0}
    chunks = list(client.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True}))
    whole = client.chat.completions.create(**fields)
    assert "".join(c.choices[0].delta.content or "" for c in chunks[:-1]) == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1


def test_example_stream_helper(client: openai.OpenAI) -> None:
    fields: dict[str, Any] = {"logit_bias": TEXT, "temperature": 0, "max_tokens": 9, "stop": "ZZZZ"}
    with client.chat.completions.stream(model="gpt-5.2", messages=HELLO, logprobs=True, **fields) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta"} <= kinds
    assert final.choices[0].finish_reason == "stop"


class Step(BaseModel):
    explanation: Literal["so", "as"]
    number: int


class Solution(BaseModel):
    steps: list[Step]
    final: bool


def test_example_parsing_into_a_model(client: openai.OpenAI) -> None:
    completion = client.chat.completions.parse(
        model="gpt-5.2",
        messages=[{"role": "system", "content": "You are a tutor."}, {"role": "user", "content": "solve 8x + 31 = 2"}],
        response_format=Solution,
        max_tokens=450,
        temperature=0,
        logit_bias={number_of("]"): 20, number_of("}"): 20},
    )
    parsed = completion.choices[0].message.parsed
    assert isinstance(parsed, Solution)


def test_example_of_a_text_that_was_cut_while_it_was_parsed(client: openai.OpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model="m", messages=HELLO, response_format=Solution, max_tokens=3)


def test_example_json_mode(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="gpt-5.2", messages=HELLO, response_format={"type": "json_object"}, max_tokens=6, temperature=0
    )
    assert (answer.choices[0].message.content or "").lstrip().startswith("{")


def test_example_log_probabilities(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="m", messages=HELLO, max_tokens=5, temperature=0, logprobs=True, top_logprobs=3, logit_bias=NO_END
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert len(logprobs.content) == 5
    for token in logprobs.content:
        assert len(token.top_logprobs) == 3
        assert token.logprob <= 0
        assert token.bytes is not None
        assert [one.logprob for one in token.top_logprobs] == sorted(
            (o.logprob for o in token.top_logprobs), reverse=True
        )
        if token.top_logprobs[0].bytes not in ([], token.bytes):
            assert token.top_logprobs[0].logprob >= token.logprob
    raw = b"".join(bytes(token.bytes or []) for token in logprobs.content)
    assert raw.decode("utf-8", "replace") == answer.choices[0].message.content


def test_log_probabilities_are_the_same_in_a_stream(client: openai.OpenAI) -> None:
    fields: dict[str, Any] = {"model": "m", "messages": HELLO, "max_tokens": 8, "temperature": 0}
    fields |= {"logprobs": True, "top_logprobs": 2}
    whole = client.chat.completions.create(**fields).choices[0].logprobs
    parts = [chunk.choices[0].logprobs for chunk in client.chat.completions.create(**fields, stream=True)]
    assert whole is not None
    streamed = [token for part in parts if part is not None for token in part.content or []]
    assert streamed == whole.content


def test_example_of_several_answers(client: openai.OpenAI) -> None:
    fields: dict[str, Any] = {"model": "m", "messages": HELLO, "max_tokens": 6, "n": 3, "seed": 4}
    answer = client.chat.completions.create(**fields)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    texts = [choice.message.content for choice in answer.choices]
    assert len(set(texts)) == 3
    alone = [client.chat.completions.create(**fields | {"n": 1, "seed": 4 + number}) for number in range(3)]
    assert [one.choices[0].message.content for one in alone] == texts
    assert answer.usage is not None
    assert alone[0].usage is not None
    assert answer.usage.prompt_tokens == alone[0].usage.prompt_tokens
    assert answer.usage.completion_tokens == sum(one.usage.completion_tokens for one in alone if one.usage)
    streamed = ["", "", ""]
    for chunk in client.chat.completions.create(**fields, stream=True):
        streamed[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert streamed == texts


def test_example_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").owned_by == "edgebias"
    with pytest.raises(openai.NotFoundError, match="gpt-4"):
        client.models.retrieve("gpt-4")


def test_example_raw_response(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="m", messages=HELLO, max_tokens=2)
    assert raw.headers["content-type"] == "application/json"
    assert raw.parse().choices
    with client.chat.completions.with_streaming_response.create(model="m", messages=HELLO, max_tokens=2) as response:
        assert '"choices"' in "".join(response.iter_lines())


def test_example_errors_are_the_right_exceptions(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="m", messages=HELLO, temperature=5)
    assert (caught.value.param, caught.value.type) == ("temperature", "invalid_request_error")
    tool: Any = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    with pytest.raises(openai.BadRequestError, match="tools: no tools are called here"):
        client.chat.completions.create(model="m", messages=HELLO, tools=[tool])
    with pytest.raises(openai.NotFoundError, match="/v1/embeddings"):
        client.embeddings.create(model="m", input="x")
    with pytest.raises(openai.NotFoundError, match="/v1/responses"):
        client.responses.create(model="m", input="x")
    with pytest.raises(openai.NotFoundError):
        client.fine_tuning.jobs.create(model="m", training_file="file-abc123")
    for long in ("word " * 600, "word " * 300_000):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": long}])
        assert caught.value.code == "context_length_exceeded"


def test_example_completions(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="m", prompt=["Say", "this"], max_tokens=3, n=2, temperature=0, logprobs=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert answer.choices[0].text == answer.choices[1].text
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.text_offset is not None
    assert logprobs.tokens is not None
    assert "".join(logprobs.tokens[: len(logprobs.text_offset)])
    streamed = client.completions.create(model="m", prompt="Say", max_tokens=3, temperature=0, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == answer.choices[0].text


def test_an_echoed_prompt_is_scored_as_harnesses_ask_for_it(client: openai.OpenAI, server: Server) -> None:
    """The sum over a prompt's tokens is the one that asking for each next token gives."""
    echoed = client.completions.create(
        model="m", prompt="Who fell?", max_tokens=0, echo=True, logprobs=1, temperature=0
    )
    choice = echoed.choices[0]
    assert choice.text == "Who fell?"
    assert choice.finish_reason == "length"
    assert choice.logprobs is not None
    assert choice.logprobs.token_logprobs is not None
    assert choice.logprobs.tokens is not None
    assert "".join(choice.logprobs.tokens) == "Who fell?"
    first, *others = choice.logprobs.token_logprobs
    assert first is None
    fields = {"prompt": "Who fell", "max_tokens": 1, "logit_bias": {number_of("?"): 100}, "logprobs": 1}
    reply = ask(server, path="/v1/completions", json=fields).json()["choices"][0]
    assert reply["text"] == "?"
    assert others[-1] == pytest.approx(reply["logprobs"]["token_logprobs"][0], abs=1e-4)


# What a field does.


def test_the_most_tokens_have_two_names(server: Server) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        body = {"messages": HELLO, name: 3, "logit_bias": NO_END}
        reply = ask(server, json=body).json()
        assert reply["usage"]["completion_tokens"] == 3
        assert reply["choices"][0]["finish_reason"] == "length"


def test_without_a_most_the_answer_goes_as_far_as_the_context(server: Server) -> None:
    usage = ask(server, json={"messages": HELLO, "logit_bias": NO_END}).json()["usage"]
    assert usage["total_tokens"] == 512


def test_a_forbidden_token_does_not_come_and_a_wanted_one_does(server: Server) -> None:
    wanted = number_of("Z")
    assert chat(server, logit_bias={wanted: 100}).json()["choices"][0]["message"]["content"] == "ZZZZ"
    free = chat(server, logprobs=True, logit_bias=NO_END).json()["choices"][0]
    first = free["logprobs"]["content"][0]["token"]
    if len(first) == 1 and 33 <= ord(first) < 127:
        forbidden = chat(server, logit_bias={str(ord(first) - 33 + 3): -100}).json()["choices"][0]["message"]["content"]
        assert first not in forbidden


@pytest.mark.parametrize("stop", ["Z", ["Z"], ["a", "b", "c", "d", "e", "Z"], "ZZ"])
def test_a_stop_text_ends_the_answer_and_is_not_part_of_it(server: Server, stop: Any) -> None:
    choice = chat(server, stop=stop, logit_bias={number_of("Z"): 100}).json()["choices"][0]
    assert choice["message"]["content"] == ""
    assert choice["finish_reason"] == "stop"
    streamed = events(chat(server, stop=stop, stream=True, logit_bias={number_of("Z"): 100}))
    assert [event["choices"][0]["finish_reason"] for event in streamed] == [None, "stop"]


def test_a_seed_is_kept_and_none_is_another_one_each_time(server: Server) -> None:
    def text(**fields: Any) -> str:
        body = {"messages": HELLO, "max_tokens": 12, "logit_bias": NO_END, **fields}
        return str(ask(server, json=body).json()["choices"][0]["message"]["content"])

    assert text(seed=3) == text(seed=3) != text(seed=4)
    assert text(seed=-1) == text(seed=-1)
    assert len({text() for _ in range(4)}) > 1
    assert text(temperature=0) == text(temperature=0, seed=9) == text(temperature=1e-9) == text(top_k=1, seed=2)


def test_penalties_count_what_was_written(server: Server) -> None:
    """A token that a bias makes likeliest by far is written again and again, unless a penalty outweighs that."""
    bias = {number_of(letter): 60 - index for index, letter in enumerate("XYZ")} | NO_END

    def text(**fields: Any) -> str:
        return str(chat(server, max_tokens=4, logit_bias=bias, **fields).json()["choices"][0]["message"]["content"])

    assert text() == "XXXX"
    assert text(repeat_penalty=2) == "XYZX"
    assert text(presence_penalty=2) != text()
    assert text(frequency_penalty=2) not in (text(), text(presence_penalty=2))


def test_text_and_developer_and_parts_are_the_same_prompt_as_their_plain_forms(server: Server) -> None:
    plain = [{"role": "system", "content": "Be brief."}, *HELLO]
    new = [{"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, *HELLO]
    found = [chat(server, messages=messages, max_tokens=8).json() for messages in (plain, new)]
    assert found[0]["choices"] == found[1]["choices"]
    assert found[0]["usage"] == found[1]["usage"]


@pytest.mark.slow
def test_variables_of_the_chat_template_reach_it_as_in_a_study(serving: Serving, tiny: Path, tmp_path: Path) -> None:
    """A study that asks this server sends them, as it sends them to vLLM and to llama.cpp's own server."""
    template = "{% for m in messages %}{{ m.content }}{% endfor %}{{ note }}"
    text = {"tokenizer.chat_template": (template, GGUFValueType.STRING)}
    weights = tmp_path / "template.gguf"
    rewrite(open_gguf(tiny), weights, lambda tensor: tensor.tensor_type, float_data, text)
    variables = {"note": "four", "stop": "x"}
    with serving("--weights", weights) as server:
        read = [
            chat(server, **fields).json()["usage"]["prompt_tokens"]
            for fields in ({}, {"chat_template_kwargs": variables})
        ]
        environment = {"backend": "openai", "endpoint": f"{server.url}/v1", "store": None}
        with open_backend(environment, {"endpoint_model": "m", "chat_template_kwargs": variables}, None) as backend:
            prompt = Prompt(messages=(Message("user", "Hello"),))
            list(backend.generate([GenerationRequest(prompt)], GenerationSettings(max_new_tokens=2)))
            read.append(backend.usage().prompt_tokens)
    assert read == [5, 9, 9]


def test_after_an_assistant_s_turn_a_new_one_begins(server: Server) -> None:
    before = chat(server).json()["usage"]["prompt_tokens"]
    after = chat(server, messages=[*HELLO, {"role": "assistant", "content": "Sure,"}]).json()
    assert after["usage"]["prompt_tokens"] > before
    assert after["choices"][0]["message"]["role"] == "assistant"


def test_any_name_is_answered_by_the_one_model_which_says_its_own(server: Server) -> None:
    assert chat(server, model="gpt-4o").json()["model"] == "tiny"
    assert error(chat(server, model=""), 400)["param"] == "model"
    assert error(chat(server, model=7), 400)["param"] == "model"


SCHEMA = {
    "type": "object",
    "properties": {"who": {"enum": ["the cook", 'the "guard"', "né\\"]}, "sure": {"type": "boolean"}},
    "required": ["who", "sure"],
    "additionalProperties": False,
}


def schema_format(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_under_a_schema_the_answer_is_json_of_it(server: Server, seed: int, stream: bool) -> None:
    fields = {
        "messages": HELLO,
        "seed": seed,
        "response_format": schema_format(SCHEMA),
        "max_tokens": 90,
        "stream": stream,
    }
    reply = ask(server, json=fields)
    if stream:
        text = "".join(event["choices"][0]["delta"].get("content", "") for event in events(reply))
    else:
        text = reply.json()["choices"][0]["message"]["content"]
    answer = json.loads(text)
    assert answer["who"] in SCHEMA["properties"]["who"]["enum"]  # type: ignore[index]
    assert isinstance(answer["sure"], bool)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "a+"},
        {"type": "object", "properties": {"a": {"type": "number", "minimum": 0}}},
        {"oneOf": [{"type": "string"}]},
        {"type": "strange"},
        {"type": "array", "items": {"type": "null"}, "minItems": 10**9},
        {"$ref": "https://example.org/schema.json"},
        {"$ref": "#"},
        {"type": "object", "properties": {"a": {"not": {}}}},
        {"enum": []},
        5,
        None,
        "string",
    ],
)
def test_a_schema_that_cannot_be_kept_is_refused_by_name(server: Server, schema: Any) -> None:
    found = error(chat(server, response_format=schema_format(schema)), 400)
    assert found["param"].startswith("response_format")


@pytest.mark.slow
def test_a_server_without_log_probabilities_refuses_them(serving: Serving, tiny: Path) -> None:
    with serving("--weights", tiny, "--no-logprobs") as running:
        assert "--no-logprobs" in error(chat(running, logprobs=True), 400)["message"]
        assert chat(running).status_code == 200


# What is no question.


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', {}, 400),
        (b'{"messages": ' + b"[" * 50_000, {}, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
        (b"{}", {"Content-Type": "application/json; charset=latin-1"}, 415),
        (b"{}", {"Content-Type": ""}, 415),
        (b"{}", {"Content-Encoding": "gzip"}, 415),
        (b'{"n": 0}', {"Content-Type": "Application/JSON; charset=UTF-8"}, 400),
        (b" " * 3_000_000, {}, 413),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_what_is_no_question_is_refused(server: Server, path: str, body: bytes, headers: Any, status: int) -> None:
    error(ask(server, path=path, content=body, headers={"Content-Type": "application/json", **headers}), status)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("PUT", "/v1/completions", 405),
        ("OPTIONS", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models/tiny", 405),
        ("POST", "/v1/models", 405),
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/models/", 404),
        ("POST", "/v1/chat/completions/", 404),
        ("POST", "/v1/embeddings", 404),
        ("POST", "/v1/responses", 404),
        ("POST", "/v1/audio/speech", 404),
        ("POST", "/extras/tokenize", 404),
        ("GET", "/v1/models/%3Cscript%3E", 404),
        ("GET", "/%00%ff%E2%80%A8", 404),
    ],
)
def test_what_is_not_served_is_told_in_openai_s_form(server: Server, method: str, path: str, status: int) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request(method, path, headers={"Content-Type": "application/json"})
    reply = connection.getresponse()
    found = json.loads(reply.read())["error"]
    assert reply.status == status
    assert found["message"].isascii()
    assert found["message"].isprintable()
    if status == 405:
        assert reply.headers["allow"]


def test_head_is_get_without_a_body(server: Server) -> None:
    for path in ("/health", "/v1/models", "/v1/models/tiny"):
        assert ask(server, "HEAD", path).status_code == 200
    assert ask(server, "HEAD", "/v1/chat/completions").status_code == 405


def test_no_page_of_another_address_may_ask(server: Server) -> None:
    reply = ask(server, "OPTIONS", headers={"Origin": "http://example.org", "Access-Control-Request-Method": "POST"})
    assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_a_key_is_asked_for_on_every_path_but_health_and_metrics(serving: Serving, tiny: Path) -> None:
    secret = "key-of-this-test"
    with serving("--weights", tiny, "--api-key-env", "SERVE_KEY", environment={"SERVE_KEY": secret}) as running:
        for sent in (None, "", "Bearer", "Bearer wrong", f"Basic {secret}", secret, f"Bearer {secret}x"):
            for path in ("/v1/models", "/v1/nothing", "/"):
                reply = ask(running, "GET", path, headers={} if sent is None else {"Authorization": sent})
                assert error(reply, 401)["code"] == "invalid_api_key"
                assert secret not in reply.text
        assert ask(running, "GET", "/v1/models", headers={"Authorization": f"bearer {secret}"}).status_code == 200
        assert {running.get(path).status_code for path in ("/health", "/metrics")} == {200}


def test_clients_that_go_before_their_whole_answer_is_there_end_it(server: Server) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    body = json.dumps({"prompt": "Hello", "max_tokens": 480, "logit_bias": NO_END, "n": 20}).encode()
    lines = [
        "POST /v1/completions HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    ended = server.metric("request_seconds_count")
    with socket.create_connection((host, int(port))) as going:
        going.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        server.wait_for(lambda: server.metric("requests_total") > server.metric("request_seconds_count"))
    server.wait_for(lambda: server.metric("request_seconds_count") > ended)
    written = server.metric('tokens_total{kind="written"}')
    assert chat(server).status_code == 200
    assert server.metric('tokens_total{kind="written"}') - written < 10


@pytest.mark.slow
def test_many_at_once_get_what_each_gets_alone(server: Server) -> None:
    bodies = [{"prompt": f"Number {number}", "max_tokens": 10, "temperature": 0} for number in range(12)]

    def text(body: dict[str, Any]) -> str:
        reply = ask(server, path="/v1/completions", json=body)
        return str(reply.json()["choices"][0]["text"])

    alone = [text(body) for body in bodies]
    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(text, bodies)) == alone


@pytest.mark.slow
def test_many_at_once_while_the_loop_corrects_the_gain_are_all_answered_well(
    serving: Serving, tiny: Path, online: list[object], tmp_path: Path
) -> None:
    """Schemas, streams and log-probabilities, six at a time, with items and guard texts between them."""
    kinds: list[dict[str, Any]] = [
        {"response_format": schema_format(SCHEMA), "max_tokens": 90},
        {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": 6},
        {"logprobs": True, "top_logprobs": 2, "max_tokens": 5},
        {"n": 2, "max_tokens": 4},
        {"temperature": 9},
    ]
    with serving("--weights", tiny, *online, "--state", tmp_path / "s.json", "--queue", 30) as running:

        def one(number: int) -> bool:
            fields = kinds[number % len(kinds)]
            reply = ask(running, json={"messages": HELLO, "seed": number, **fields})
            if "temperature" in fields:
                return error(reply, 400)["param"] == "temperature"
            if "stream" in fields:
                return events(reply)[-1]["usage"]["completion_tokens"] > 0
            text = reply.json()["choices"][0]["message"]["content"]
            return "response_format" not in fields or json.loads(text)["who"] in SCHEMA["properties"]["who"]["enum"]  # type: ignore[index]

        with ThreadPoolExecutor(6) as pool:
            assert all(pool.map(one, range(40)))
        running.wait_for(lambda: running.metric("judged_total") > 0)
        assert math.isfinite(running.get("/health").json()["gain"])
        status, _, printed = running.end()
    assert (status, printed) == (0, "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FULL: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    ],
    "max_completion_tokens": 3,
    "temperature": 0.5,
    "top_p": 0.9,
    "n": 1,
    "seed": 1,
    "stop": ["a", "b"],
    "stream": True,
    "stream_options": {"include_usage": True},
    "presence_penalty": 0.1,
    "logit_bias": {"5": -1},
    "logprobs": True,
    "top_logprobs": 1,
    "response_format": schema_format({"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}}),
    "user": "u",
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys: Any = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [path, *(found for key in keys for found in places(value[key], (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], put: Any) -> Any:
    if not path:
        return put
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], put)
    return copy


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(places(FULL)), JSON)
def test_a_question_changed_anywhere_is_answered_or_refused_and_nothing_hangs(
    server: Server, place: tuple[Any, ...], put: Any
) -> None:
    body = json.dumps(changed(FULL, place, put)).encode()
    reply = ask(server, content=body, headers={"Content-Type": "application/json"})
    if reply.status_code == 200:
        assert reply.text.rstrip().endswith(("[DONE]", "}"))
    else:
        error(reply, 400)
    assert server.process.poll() is None

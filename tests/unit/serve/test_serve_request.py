"""What a request may say, without a model: done, or refused by name."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.backends.base import Message, Prompt
from edgebias.serve.refusal import Refused
from edgebias.serve.request import COLDEST, MOST_STOPS, REFUSED, Asked, read_chat, read_completion

HELLO = [{"role": "user", "content": "Hello"}]


def chat(**fields: Any) -> Asked:
    return read_chat(json.dumps({"messages": HELLO, **fields}).encode())


def completion(**fields: Any) -> Asked:
    return read_completion(json.dumps({"prompt": "Hello", **fields}).encode())


def refused(**fields: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        chat(**fields)
    assert caught.value.status == 400
    return caught.value


def said(messages: list[dict[str, Any]]) -> tuple[Message, ...]:
    (prompt,) = chat(messages=messages).prompts
    assert isinstance(prompt, Prompt)
    return prompt.messages


def test_without_any_setting_the_defaults_are_openai_s() -> None:
    asked = chat()
    sampling = asked.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p) == (1.0, 1.0, 0, 0.0)
    assert (sampling.repeat_penalty, sampling.presence_penalty, sampling.frequency_penalty) == (1.0, 0.0, 0.0)
    assert (asked.n, asked.max_tokens, asked.stops, asked.top_logprobs, asked.stream) == (1, None, (), None, False)
    assert completion().max_tokens == 16


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_both_names_of_the_most_tokens_count(name: str) -> None:
    assert chat(**{name: 7}).max_tokens == 7


def test_a_null_is_a_field_that_was_not_given() -> None:
    names = ["temperature", "top_p", "n", "stop", "stream", "seed", "user", "logit_bias", "response_format", "logprobs"]
    names += ["stream_options", "max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty", "model"]
    assert chat(**dict.fromkeys([*names, *REFUSED])) == chat()


def test_a_null_within_a_field_was_not_given_either() -> None:
    asked = chat(stream=True, stream_options={"include_usage": True, "include_obfuscation": None})
    assert asked.include_usage
    assert chat(response_format={"type": "text", "json_schema": None}) == chat()
    schema = {"name": "n", "schema": {"enum": [None, 1]}}
    plain = chat(response_format={"type": "json_schema", "json_schema": schema})
    nulls = {"strict": None, "description": None}
    assert chat(response_format={"type": "json_schema", "json_schema": schema | nulls}) == plain
    assert "null" in str(plain.sampling.grammar)  # within the schema it is a value


def test_variables_of_the_chat_template_are_taken_but_for_those_that_every_template_has() -> None:
    assert chat(chat_template_kwargs={"enable_thinking": False}).variables == {"enable_thinking": False}
    assert chat(chat_template_kwargs=None) == chat(chat_template_kwargs={}) == chat()
    for value in ({"messages": []}, {"add_generation_prompt": False}, {"bos_token": ""}, [], "x", 1):
        error = refused(chat_template_kwargs=value)
        assert error.param == "chat_template_kwargs"


@pytest.mark.parametrize("given", [None, 0, 0.0, COLDEST / 2])
def test_a_temperature_that_32_bits_cannot_divide_by_is_0(given: float | None) -> None:
    assert chat(temperature=given).sampling.temperature == (1.0 if given is None else 0.0)


@pytest.mark.parametrize("stop", ["x", ["x"], list("abcdefghij"), ["two words", "\n"]])
def test_stop_texts_come_alone_or_as_a_list_of_more_than_four(stop: Any) -> None:
    assert chat(stop=stop).stops == (tuple(stop) if isinstance(stop, list) else (stop,))


def test_developer_is_openai_s_new_name_of_system() -> None:
    assert said([{"role": "developer", "content": "Be brief."}, *HELLO])[0] == Message("system", "Be brief.")


def test_a_content_in_parts_is_one_text() -> None:
    parts = [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    assert said([{"role": "user", "content": parts}]) == (Message("user", "One.\nTwo."),)
    assert said([*HELLO, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}])[1].content == "No."


def test_a_message_of_an_earlier_answer_may_be_sent_back_as_it_came() -> None:
    earlier = {"role": "assistant", "content": "Hi", "refusal": None, "audio": None, "tool_calls": []}
    assert said([*HELLO, earlier, *HELLO])[1] == Message("assistant", "Hi")


def test_several_seeds_for_several_answers() -> None:
    sampling = chat(n=3, seed=5).sampling
    assert [sampling.of(number).seed for number in range(3)] == [5, 6, 7]


def test_log_probabilities_of_chats_and_completions() -> None:
    assert chat(logprobs=True).top_logprobs == 0
    assert chat(logprobs=True, top_logprobs=5).top_logprobs == 5
    assert chat(logprobs=False).top_logprobs is None
    assert completion(logprobs=3).top_logprobs == 3


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", (Prompt(text="a"),)),
        ("", (Prompt(text=""),)),
        (["a", "b"], (Prompt(text="a"), Prompt(text="b"))),
        ([5, 6], ((5, 6),)),
        ([[5], [6, 7]], ((5,), (6, 7))),
    ],
)
def test_prompts_are_texts_or_tokens_one_or_several(prompt: Any, prompts: Any) -> None:
    assert completion(prompt=prompt).prompts == prompts


@pytest.mark.parametrize("prompt", [5, [], [[]], [True], {"a": 1}, ["a", 5], [[5, "a"]], [1.5], [None]])
def test_other_prompts_are_refused(prompt: Any) -> None:
    with pytest.raises(Refused, match="prompt: ") as caught:
        completion(prompt=prompt)
    assert caught.value.param == "prompt"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
        ("tools", []),
        ("tool_choice", "auto"),
        ("tool_choice", {"type": "function", "function": {"name": "f"}}),
        ("parallel_tool_calls", True),
        ("functions", [{"name": "f"}]),
        ("function_call", "auto"),
        ("store", True),
        ("store", 0),
        ("metadata", {"a": "b"}),
        ("reasoning_effort", "low"),
        ("verbosity", "low"),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "alloy", "format": "wav"}),
        ("prediction", {"type": "content", "content": "x"}),
        ("web_search_options", {}),
        ("service_tier", "flex"),
    ],
)
def test_what_needs_another_engine_is_refused_by_name(name: str, value: Any) -> None:
    error = refused(**{name: value})
    assert (error.param, error.code) == (name, "unsupported_parameter")
    assert str(error).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tool_choice", "none"),
        ("function_call", "none"),
        ("store", False),
        ("metadata", {}),
        ("modalities", ["text"]),
        ("service_tier", "auto"),
        ("user", "someone"),
        ("safety_identifier", "someone"),
        ("prompt_cache_key", "x"),
    ],
)
def test_what_asks_for_nothing_is_taken(name: str, value: Any) -> None:
    assert chat(**{name: value}) == chat()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", -1),
        ("max_tokens", 2.5),
        ("max_tokens", "5"),
        ("max_tokens", True),
        ("max_completion_tokens", 0),
        ("temperature", 3),
        ("temperature", -0.1),
        ("temperature", "0.5"),
        ("temperature", True),
        ("top_p", 1.5),
        ("top_p", [1]),
        ("n", 0),
        ("n", 129),
        ("n", 1.5),
        ("seed", 0.5),
        ("seed", 2**64),
        ("seed", "x"),
        ("presence_penalty", 3),
        ("frequency_penalty", -2.5),
        ("stop", 5),
        ("stop", ""),
        ("stop", ["a", ""]),
        ("stop", [1]),
        ("stop", ["a"] * (MOST_STOPS + 1)),
        ("stream", "true"),
        ("stream", 1),
        ("stream_options", True),
        ("logprobs", 5),
        ("user", 5),
        ("model", 3),
        ("model", ""),
        ("logit_bias", []),
        ("logit_bias", {"abc": 1}),
        ("logit_bias", {"-1": 1}),
        ("logit_bias", {"٣": 1}),
        ("logit_bias", {"5": 101}),
        ("logit_bias", {"5": "1"}),
        ("logit_bias", {"5": None}),
        ("top_k", -1),
        ("min_p", 2),
        ("repeat_penalty", 0),
        ("messages", []),
        ("messages", None),
        ("messages", "Hello"),
        ("messages", {}),
    ],
)
def test_a_value_that_is_not_possible_is_refused_by_name(name: str, value: Any) -> None:
    error = refused(**{name: value})
    assert str(error).startswith(f"{name}")
    assert error.param is not None
    assert error.param.startswith(name)


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": None}, "messages[0].content"),
        ({"role": "user", "content": 5}, "messages[0].content"),
        ({"role": "user", "content": {"type": "text", "text": "x"}}, "messages[0].content"),
        ({"content": "x"}, "messages[0].role"),
        ({"role": "tool", "content": "x", "tool_call_id": "1"}, "messages[0].role"),
        ({"role": "function", "name": "f", "content": "x"}, "messages[0].role"),
        ({"role": "wizard", "content": "x"}, "messages[0].role"),
        ({"role": ["user"], "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": "x", "name": "Ann"}, "messages[0].name"),
        ({"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}]}, "messages[0].tool_calls"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, "messages[0].content"),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, "messages[0].content"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "messages[0].content"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content"),
        ({"role": "user", "content": [{"type": "text", "text": 5}]}, "messages[0].content"),
        ({"role": "user", "content": [{"type": "text", "text": "x", "cache": 1}]}, "messages[0].content"),
        ({"role": "user", "content": ["x"]}, "messages[0].content"),
        ("Hello", "messages[0]"),
        (None, "messages[0]"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_by_its_place(message: Any, param: str) -> None:
    assert refused(messages=[message]).param == param


def test_an_image_is_refused_by_its_name() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    assert "'image_url'" in str(refused(messages=[{"role": "user", "content": [image]}]))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"top_logprobs": 3, "logprobs": False}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"stream": True, "stream_options": {"strange": 1}}, "stream_options.strange"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}, "response_format.json_schema"),
    ],
)
def test_fields_that_need_or_exclude_each_other(fields: dict[str, Any], param: str) -> None:
    found = refused(**fields).param
    assert found is not None
    assert found.startswith(param)


@pytest.mark.parametrize("name", ["foo", "max_new_tokens", "prompt", "", "<script>", "a" * 5000, "\u2028", "\x00", "é"])
def test_an_unknown_field_is_refused_and_shown_escaped_and_short(name: str) -> None:
    error = refused(**{name: None})
    assert error.code == "unknown_parameter"
    assert len(str(error)) < 200
    assert str(error).isascii()
    assert str(error).isprintable()


def test_fields_of_completions() -> None:
    assert completion(echo=True, max_tokens=0, logprobs=1).echo
    for fields in (
        {"max_tokens": 0},
        {"suffix": "x"},
        {"best_of": 2},
        {"messages": HELLO},
        {"n": 70, "prompt": ["a"] * 2},
    ):
        with pytest.raises(Refused):
            completion(**fields)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"5",
        b'{"messages": [',
        b'{"messages": [{"role": "user", "content": "\xff"}]}',
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"messages": [{"role": "user", "content": "a"}], "temperature": NaN}',
        b'{"messages": [{"role": "user", "content": "a"}], "temperature": 1e999}',
        b'{"messages": [{"role": "user", "content": "a"}], "temperature": -Infinity}',
        b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"\x00",
        b"\xef\xbb\xbf{}",
    ],
)
def test_a_body_that_is_no_json_of_ours_is_refused(body: bytes) -> None:
    for read in (read_chat, read_completion):
        with pytest.raises(Refused):
            read(body)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
KNOWN = [
    "messages",
    "prompt",
    "model",
    "n",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "seed",
    "max_tokens",
    "max_completion_tokens",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "response_format",
    "user",
    "echo",
]
NAMES = st.sampled_from([*REFUSED, *KNOWN]) | st.text(max_size=10)


@pytest.mark.slow
@settings(max_examples=150)
@given(st.dictionaries(NAMES, VALUES, max_size=6), st.booleans())
def test_whatever_stands_in_a_field_is_read_or_refused(fields: dict[str, Any], over: bool) -> None:
    """No exception but `Refused` leaves the reader, and its response has OpenAI's form."""
    for read, base in ((read_chat, {"messages": HELLO}), (read_completion, {"prompt": "Hello"})):
        body = json.dumps({**base, **fields} if over else {**fields, **base}).encode()
        try:
            assert isinstance(read(body), Asked)
        except Refused as refusal:
            error = json.loads(bytes(refusal.response().body))["error"]
            assert set(error) == {"message", "type", "param", "code"}


@settings(max_examples=150)
@given(st.binary(max_size=60), st.integers(0, 200))
def test_a_body_with_foreign_bytes_is_read_or_refused(foreign: bytes, place: int) -> None:
    whole = json.dumps({"messages": HELLO, "stop": ["x"], "response_format": {"type": "json_object"}}).encode()
    with suppress(Refused):
        read_chat(whole[:place] + foreign + whole[place:])

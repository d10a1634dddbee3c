"""What an endpoint answers, whatever the shape: one filtered prompt is a refusal, and the others are asked."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scripted_endpoint import Said, Scripted, ask, completion

from edgebias.cli import main
from edgebias.core.errors import InputError
from edgebias.core.service_refusal import SERVICE_REFUSAL

NO_MESSAGE = {"index": 0, "finish_reason": "content_filter"}
AZURE = {
    "error": {
        "code": "content_filter",
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}},
    }
}
FILTERED_PROMPTS: dict[str, tuple[int, Any]] = {
    "azure": (400, AZURE),
    "openai policy": (400, {"error": {"code": "content_policy_violation", "message": "Your request was rejected."}}),
    "openai prompt": (
        400,
        {
            "error": {
                "code": "invalid_prompt",
                "message": "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            }
        },
    ),
    "openrouter": (
        403,
        {
            "error": {
                "code": 403,
                "message": 'm requires moderation on X. Your input was flagged for "hate". No credits were charged.',
                "metadata": {"reasons": ["hate"], "flagged_input": "Q?"},
            }
        },
    ),
    "behind a gateway": (
        400,
        {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": json.dumps(AZURE)}}},
    ),
    "alibaba": (
        400,
        {"error": {"code": "data_inspection_failed", "message": "Input data may contain inappropriate content."}},
    ),
    "zhipu": (400, {"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}}),
    "deepseek": (400, {"error": {"message": "Content Exists Risk", "type": "invalid_request_error"}}),
    "xai": (
        403,
        {"code": "The caller does not have permission", "error": "Content violates usage guidelines. API key ID: 1,"
         " Failed check: SAFETY_CHECK_TYPE_BIO"},
    ),
    "moonshot": (
        400,
        {"error": {"type": "content_filter", "message": "The request was rejected: it was considered high risk"}},
    ),
    "anthropic": (
        400,
        {"type": "error", "error": {"type": "invalid_request_error", "message": "Output blocked by content filtering"}},
    ),
    "bedrock": (400, {"message": "Guardrail was enabled and the request was blocked"}),
    "google": (400, [{"error": {"code": 400, "message": "blocked", "details": [{"reason": "SAFETY"}]}}]),
    "a bare text": (403, "Your prompt was blocked by the content moderation of this gateway."),
    "status 200": (200, {"error": {"code": "content_filter", "message": "filtered"}}),
}  # fmt: skip
WITHHELD_ANSWERS: dict[str, Any] = {
    "null and a refusal": completion(
        None, message={"role": "assistant", "content": None, "refusal": "I can't do that."}
    ),
    "empty and a refusal": completion("", message={"content": "", "refusal": "No."}),
    "content and a refusal": completion("", message={"content": "The grandfather", "refusal": "No."}),
    "a part that is a refusal": completion([{"type": "refusal", "refusal": "I can't help with that."}]),
    "null of a filter": completion(None, finish_reason="content_filter"),
    "a content that a filter cut": completion("The grandfather", finish_reason="content_filter"),
    "SAFETY": completion(None, finish_reason="SAFETY"),
    "safety in lower case": completion(None, finish_reason="safety"),
    "native reason": completion(None, finish_reason="stop", native_finish_reason="PROHIBITED_CONTENT"),
    "recitation": completion(None, finish_reason="RECITATION"),
    "sensitive": completion("", finish_reason="sensitive"),
    "guardrail": completion("Blocked.", finish_reason="guardrail_intervened"),
    "a filter with its name": completion("", finish_reason="content_filter: PROHIBITED_CONTENT"),
    "no message, filtered": completion() | {"choices": [NO_MESSAGE]},
    "no message": completion() | {"choices": [{"index": 0, "finish_reason": "stop"}]},
    "message is null": completion() | {"choices": [{"index": 0, "message": None}]},
    "no choices": completion() | {"choices": []},
    "choices are null": completion() | {"choices": None},
    "no choices at all": {"object": "chat.completion", "model": "m", "usage": {"prompt_tokens": 3}},
    "prompt feedback": {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {}},
    "prompt feedback and no choice": {"choices": [], "promptFeedback": {"blockReason": "OTHER"}},
}
READ_ALIKE: dict[str, Any] = {
    "a text": completion("B"),
    "parts": completion([{"type": "text", "text": "B"}]),
    "parts of one answer": completion([{"type": "text", "text": "B"}, {"type": "text", "text": "."}]),
    "parts that are texts": completion(["B"]),
    "output_text": completion([{"type": "output_text", "text": "B"}]),
    "a text with a value": completion([{"type": "text", "text": {"value": "B", "annotations": []}}]),
    "a thought and a text": completion(
        [{"type": "thinking", "thinking": [{"type": "text", "text": "A?"}]}, {"type": "text", "text": "B"}]
    ),
    "foreign parts": completion([None, 5, {"type": "image_url"}, {"type": "text", "text": "B"}, {"text": None}]),
    "an empty refusal": completion("", message={"content": "B", "refusal": ""}),
    "a refusal that is null": completion("", message={"content": "B", "refusal": None}),
    "thoughts told apart": completion("", message={"content": "B", "reasoning_content": "A is the grandfather."}),
    "thoughts by another name": completion("", message={"content": "B", "reasoning": "A?"}),
    "results of a filter that let it pass": completion(
        "B", content_filter_results={"hate": {"filtered": False, "severity": "safe"}}
    ),
}
REFUSING = list(FILTERED_PROMPTS.items()) + [(name, (200, body)) for name, body in WITHHELD_ANSWERS.items()]


def items(path: Path, n: int) -> Path:
    pd.DataFrame(
        {
            "item_id": f"i{number}",
            "suite": "forced_choice",
            "category": "c",
            "condition": "ambiguous",
            "context": f"Story {number}.",
            "question": "Who?",
            "options": ["The grandfather", "The grandson", "Unknown"],
            "roles": ["stereotype", "anti_stereotype", "unknown"],
            "permutation": [0, 1, 2],
        }
        for number in range(n)
    ).to_parquet(path)
    return path


def infer(environment: dict[str, Any], folder: Path, n: int = 4) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run the stage, and return its responses and its cost file."""
    settings = {
        "seed": 1,
        "infer": {"formats": {"forced_choice": ["letter"]}, "max_new_tokens": 8},
        "models.m": {"endpoint_model": "m-1"},
        "environments.e": environment,
    }
    responses, cost = folder / "responses.parquet", folder / "cost.json"
    table = items(folder / "items.parquet", n)
    main(["infer", "--settings", json.dumps(settings), "--suite", "forced_choice", "--items", str(table),
          "--responses", str(responses), "--cost", str(cost)])  # fmt: skip
    return pd.read_parquet(responses), json.loads(cost.read_text())


def test_items_that_the_filter_refuses_are_refusals_and_the_others_are_asked_once(
    endpoint: Scripted, environment: dict[str, Any], tmp_path: Path
) -> None:
    def says(asked: dict[str, Any], _: dict[str, str]) -> Said:
        number = int(asked["messages"][-1]["content"].split("Story ")[1].split(".")[0])
        status, body = REFUSING[number // 2][1] if number % 2 else (200, completion("B"))
        return Said(body, status)

    endpoint.says = says
    n = 2 * len(REFUSING)
    table, cost = infer(environment, tmp_path, n)
    by_item = table.set_index("item_id")
    assert {name: by_item.loc[f"i{2 * place + 1}", "outcome"] for place, (name, _) in enumerate(REFUSING)} == {
        name: "refusal" for name, _ in REFUSING
    }
    assert {by_item.loc[f"i{place}", "outcome"] for place in range(0, n, 2)} == {"anti_stereotype"}
    assert all(by_item.loc[f"i{place}", "text"].startswith(SERVICE_REFUSAL) for place in range(1, n, 2))
    assert cost["notes"]["answers_refused_by_the_service"] == str(len(REFUSING))
    assert len(endpoint.bodies) == n
    again, cost = infer(environment, tmp_path, n)
    assert again.equals(table)
    assert cost["notes"]["requests_sent"] == "0"


def test_a_prompt_that_is_refused_before_it_is_read_costs_nothing(
    endpoint: Scripted, environment: dict[str, Any]
) -> None:
    endpoint.says_in_turn(Said(AZURE, 400))
    ask(environment | {"budget": {"generated_tokens": 9}})
    with closing(sqlite3.connect(environment["store"])) as database:
        spent = database.execute("SELECT state, prompt_tokens, generated_tokens FROM ledger").fetchall()
    assert spent == [("answered", 0, 0)]


@pytest.mark.parametrize(("name", "body"), READ_ALIKE.items(), ids=list(READ_ALIKE))
def test_an_answer_is_read_whatever_its_shape(
    endpoint: Scripted, environment: dict[str, Any], name: str, body: Any
) -> None:
    endpoint.says_in_turn(Said(body))
    answers, notes = ask(environment)
    assert answers[0].text.strip(".") == "B"
    assert notes["requests_sent"] == "1"
    assert "answers_refused_by_the_service" not in notes


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS"])
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
def test_an_answer_of_thoughts_alone_is_a_thought_that_was_cut(
    endpoint: Scripted, environment: dict[str, Any], reason: str, field: str
) -> None:
    message = {"content": None, field: "Okay, the grandfather is A."}
    endpoint.says_in_turn(Said(completion(message=message, finish_reason=reason)))
    assert ask(environment)[0][0].text == "<think>\nOkay, the grandfather is A."


THOUGHTS: dict[str, dict[str, Any]] = {
    "OpenRouter": {"content": "", "reasoning_details": [{"type": "reasoning.text", "text": "So A"}, {"text": " is"}]},
    "LiteLLM": {"content": None, "thinking_blocks": [{"type": "thinking", "thinking": "So A is", "signature": "x"}]},
    "Mistral": {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "So A is"}]}]},
    "nothing but an empty one": {"content": "", "reasoning": "", "thinking": "So A is"},
}


@pytest.mark.parametrize("service", THOUGHTS)
def test_thoughts_in_blocks_are_thoughts_that_were_cut(
    endpoint: Scripted, environment: dict[str, Any], tmp_path: Path, service: str
) -> None:
    """They are counted as cut while thinking, not as blank answers."""
    endpoint.says_in_turn(Said(completion(message=THOUGHTS[service], finish_reason="length")))
    assert ask(environment)[0][0].text == "<think>\nSo A is"


def test_counts_that_a_gateway_wrote_as_floats_are_counts(endpoint: Scripted, environment: dict[str, Any]) -> None:
    endpoint.says_in_turn(Said(completion("B") | {"usage": {"prompt_tokens": 10.0, "completion_tokens": 4.0}}))
    assert ask(environment)[0][0].n_tokens == 4
    endpoint.says_in_turn(Said(completion("B") | {"usage": {"prompt_tokens": 10.5, "completion_tokens": 1e300}}))
    assert ask(environment, "another")[0][0].n_tokens == 0


def test_an_answer_that_was_cut_before_its_first_word_is_blank(
    endpoint: Scripted, environment: dict[str, Any], tmp_path: Path
) -> None:
    endpoint.says_in_turn(Said(completion() | {"choices": [{"index": 0, "finish_reason": "length"}]}))
    table, _ = infer(environment, tmp_path, n=1)
    assert table["outcome"].tolist() == ["blank"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"choices": 5},
        {"choices": ["B"]},
        {"choices": [{"message": "B"}]},
        {"choices": [{"message": {"content": {"text": "B"}}}]},
        {"choices": [{"text": "B"}]},
        {"choices": [{"delta": {"content": "B"}}]},
        {"message": {"content": "B"}},
        "B",
        'data: {"choices": [{"delta": {"content": "B"}}]}\n\n',
    ],
    ids=str,
)
def test_what_is_no_chat_completion_is_asked_again_and_told(
    endpoint: Scripted, environment: dict[str, Any], body: Any
) -> None:
    endpoint.says_in_turn(Said(body, headers={"Retry-After": "0"}))
    with pytest.raises(InputError, match=r"something else than .*check that endpoint") as caught:
        ask(environment)
    assert "\n" not in str(caught.value)
    assert len(endpoint.bodies) == 2


ACCOUNT = [
    {"error": {"message": "Your account has been flagged for violating our policies.", "type": "access_terminated"}},
    {"error": {"message": "Your project does not have access to model m-1", "code": "model_not_found"}},
    {
        "error": {
            "message": "Country, region, or territory not supported",
            "code": "unsupported_country_region_territory",
        }
    },
    {"error": {"message": "API key blocked: requests are rejected by a usage policy of the organization"}},
    {"error": {"status": "PERMISSION_DENIED", "message": "Generative Language API has not been used in project 1"}},
]


@pytest.mark.parametrize("body", ACCOUNT, ids=[body["error"]["message"][:30] for body in ACCOUNT])
def test_a_refusal_of_the_account_is_no_refusal_of_an_item(
    endpoint: Scripted, environment: dict[str, Any], body: Any
) -> None:
    endpoint.says_in_turn(Said(body, 403))
    with pytest.raises(InputError, match=r"HTTP 403: .*; check what the key in the variable that api_key_env names"):
        ask(environment)


def first_token(*entries: Any) -> dict[str, Any]:
    logprobs = {"content": [{"token": "A", "logprob": -0.25, "top_logprobs": list(entries)}]}
    return completion("A", logprobs=logprobs)


A, B = {"token": "A", "logprob": -0.25}, {"token": "B", "logprob": -2.0}


@pytest.mark.parametrize(
    "foreign",
    [
        {"token": "x", "logprob": None},
        {"token": "x", "logprob": "-Infinity"},
        {"token": "x", "logprob": "1.2e-7"},
        {"token": "x", "logprob": 1.2e-7},
        {"token": "x", "logprob": 0.5},
        {"token": "x", "logprob": True},
        {"token": "x", "logprob": [-1]},
        {"token": "x"},
        {"logprob": -1},
        {"token": None, "logprob": -1},
        {"token": 5, "logprob": -1},
        {"token": "x", "logprob": -9999.0},
        {"token": "x", "logprob": -1e308},
        "x",
        None,
        [],
        7,
        B,
        B | {"bytes": [66]},
        {"token": "\ufffd", "logprob": -3},
    ],
    ids=str,
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_foreign_log_probability_costs_nothing_but_itself(
    endpoint: Scripted, environment: dict[str, Any], foreign: Any, place: int
) -> None:
    entries = [A, B]
    entries.insert(place, foreign)
    endpoint.says_in_turn(Said(first_token(*entries)))
    answers, notes = ask(environment | {"logprobs": True}, options=("A", "B"))
    assert answers[0].scores is not None
    assert answers[0].scores.logprobs == (-0.25, -2.0)
    assert notes["requests_sent"] == "1"


@pytest.mark.parametrize("constant", ["-Infinity", "Infinity", "NaN", "-1e999", "null"])
def test_a_constant_that_is_no_json_costs_nothing_but_itself(
    endpoint: Scripted, environment: dict[str, Any], constant: str
) -> None:
    body = json.dumps(first_token(A, B, {"token": "x", "logprob": 12345})).replace("12345", constant)
    endpoint.says_in_turn(Said(body))
    answers, notes = ask(environment | {"logprobs": True}, options=("A", "B"))
    assert answers[0].scores is not None
    assert answers[0].scores.logprobs == (-0.25, -2.0)
    assert notes["requests_sent"] == "1"


def test_the_rounding_of_a_certain_token_is_no_fault(endpoint: Scripted, environment: dict[str, Any]) -> None:
    endpoint.says_in_turn(Said(first_token({"token": "A", "logprob": 1.2e-7}, {"token": "B", "logprob": -16.5})))
    answers, _ = ask(environment | {"logprobs": True}, options=("A", "B"))
    assert answers[0].scores is not None
    assert answers[0].scores.logprobs == (0.0, -16.5)


@pytest.mark.parametrize(
    "logprobs",
    [None, [], {}, {"content": None}, {"content": []}, {"content": [None]}, {"content": [{"token": "A"}]}, 5, "x"]
    + [{"content": [{"top_logprobs": wrong}]} for wrong in (None, {}, "A", 5)]
    + [{"tokens": ["A"], "token_logprobs": [-0.1], "top_logprobs": [{"A": -0.1, "B": -2}]}],
    ids=str,
)
def test_an_answer_without_log_probabilities_keeps_its_text(
    endpoint: Scripted, environment: dict[str, Any], logprobs: Any
) -> None:
    endpoint.says_in_turn(Said(completion("A", logprobs=logprobs)))
    answers, notes = ask(environment | {"logprobs": True}, options=("A", "B"))
    assert (answers[0].text, answers[0].scores) == ("A", None)
    assert notes["requests_sent"] == "1"


HUGE = {"prompt_tokens": 10**30, "completion_tokens": 10**30}


@pytest.mark.parametrize(
    "usage", [None, 5, [], {}, {"prompt_tokens": None}, {"prompt_tokens": -1}, {"prompt_tokens": "5"}, HUGE], ids=str
)
def test_a_count_that_cannot_be_is_the_reserved_one(
    endpoint: Scripted, environment: dict[str, Any], usage: Any
) -> None:
    endpoint.says_in_turn(Said(completion("B") | {"usage": usage}))
    assert ask(environment)[0][0].text == "B"
    with closing(sqlite3.connect(environment["store"])) as database:
        assert database.execute("SELECT state, generated_tokens FROM ledger").fetchall() == [("answered", 8)]

"""The protocol of a chat completion: the body of a request, and what can be believed of a response.

Field names as in the OpenAI API reference (https://platform.openai.com/docs/api-reference/chat/create).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgebias.backends.base import GenerationRequest, GenerationSettings, OptionScores
from edgebias.core.service_refusal import SERVICE_REFUSAL

TOP_LOGPROBS = 20
"""Most tokens of a position whose log-probability the API gives."""

UNLIKELY = -9999.0
"""What the API writes for a token whose log-probability it does not tell."""

ROUNDING = 1e-5
"""A certain token's log-probability may be above 0 by the last digits of a float; this much is taken for 0."""

MOST_TOKENS = 2**53
"""No endpoint counts more."""

MOST_NESTED = 4
"""Levels of a thought in blocks that are looked into."""

THOUGHT = "<think>\n"
"""Begins a reply of which there is nothing but the model's thoughts, which the endpoint tells apart."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""JSON can escape half a character, which no file can hold."""

_WITHHELD = re.compile(
    r"content[ _-]?(?:filter|policy|moderation)\w*|(?:image_)?safety|prohibited_content|blocklist|spii|recitation"
    r"|sensitive|refusal|guardrail\w*|moderation\w*|blocked",
    re.IGNORECASE,
)
"""Reasons to finish that a service's filter gives: of OpenAI, Azure, Google, Anthropic, Amazon, Zhipu."""

_CUT = re.compile(r"length|max_?(?:output_)?tokens", re.IGNORECASE)


@dataclass(frozen=True)
class Completion:
    """A response that is a chat completion.

    Token counts are None where the endpoint does not give them; ``first_token`` maps the most likely first tokens to
    their log-probabilities and is empty where it does not give those. ``refused`` says that the service's filter
    withheld the answer; ``text`` is then `SERVICE_REFUSAL` and its words.
    """

    text: str
    model: str
    fingerprint: str
    prompt_tokens: int | None
    generated_tokens: int | None
    first_token: dict[str, float]
    refused: bool = False


def request_body(
    model: str,
    request: GenerationRequest,
    settings: GenerationSettings,
    *,
    max_tokens_field: str,
    omit: Collection[str],
    logprobs: bool,
) -> dict[str, Any]:
    """Return the body of a request; ``logprobs`` asks for those of the first token where options are single letters."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.prompt.messages],
        max_tokens_field: settings.max_new_tokens,
        "temperature": settings.temperature,
        "top_p": 1.0,
        "seed": request.seed,
    }
    if settings.stop:
        body["stop"] = list(settings.stop)
    if logprobs and request.options and all(len(option) == 1 for option in request.options):
        body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
    return {name: value for name, value in body.items() if name not in omit}


def read_completion(text: str) -> Completion:
    """Take a response apart; nothing in it is trusted to be there or to be of its kind.

    An answer that the service's filter withheld is a completion, too: a refusal in the place of the content, a reason
    to finish that a filter gives, a choice without a message, or no choice at all.

    Raises:
        ValueError: it is no JSON, or no chat completion.
    """
    # RecursionError: a few kilobytes of nested brackets are enough for one.
    try:
        value = json.loads(text, parse_constant=_unknown)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"something else than JSON ({error})") from error
    if not isinstance(value, dict):
        raise ValueError("something else than a chat completion")
    choice = _first_choice(value)
    usage = value["usage"] if isinstance(value.get("usage"), dict) else {}
    withheld = _withheld(value, choice)
    return Completion(
        text=_reply(choice) if withheld is None else f"{SERVICE_REFUSAL} {_whole(withheld)}".strip(),
        model=_text(value.get("model")),
        fingerprint=_text(value.get("system_fingerprint")),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        generated_tokens=_count(usage.get("completion_tokens")),
        first_token={} if withheld is not None else _first_token(choice.get("logprobs")),
        refused=withheld is not None,
    )


def refused_prompt(words: str) -> str:
    """Return the body of a completion that says what a service said to a prompt that its filter refused, for free."""
    choice = {"index": 0, "finish_reason": "content_filter", "message": {"role": "assistant", "refusal": words}}
    return json.dumps(
        {
            "object": "chat.completion",
            "choices": [choice],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0},
        },
        ensure_ascii=False,
    )


def option_scores(completion: Completion, options: Sequence[str]) -> OptionScores | None:
    """Return the log-probabilities of ``options`` as the first token of the reply.

    None unless every one of them was given.

    This is less than a local backend's score. Only the `TOP_LOGPROBS` most likely tokens are told, so a None is no
    small number but an unknown one, and which requests have one depends on the model. A token must be the option to
    the letter ("A", not " A" or "a"), and what the provider puts before the reply or does to its logits is unseen.
    """
    if not options or not all(option in completion.first_token for option in options):
        return None
    return OptionScores(tuple(completion.first_token[option] for option in options), (1,) * len(options))


def _first_choice(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the first choice; an empty one where the service made none."""
    choices = value.get("choices")
    if choices is None or choices == []:
        if "choices" not in value and value.get("object") != "chat.completion" and _block_reason(value) is None:
            raise ValueError("something else than a chat completion")
        return {}
    choice = choices[0] if isinstance(choices, list) else None
    if not isinstance(choice, dict) or isinstance(choice.get("text"), str) or "delta" in choice:
        raise ValueError("something else than a chat completion")
    message = choice.get("message")
    if not (message is None or isinstance(message, dict)):
        raise ValueError("something else than a chat completion")
    if message is not None and not isinstance(message.get("content"), str | list | None):
        raise ValueError("something else than a chat completion")
    return choice


def _withheld(value: Mapping[str, Any], choice: Mapping[str, Any]) -> str | None:
    """Return the words with which the service withheld an answer; None where it did not."""
    message = choice.get("message") or {}
    refusals = [message.get("refusal"), *(part.get("refusal") for part in _parts(message) if isinstance(part, dict))]
    said = " ".join(words.strip() for words in refusals if isinstance(words, str) and words.strip())
    if said:
        return said
    names = ("finish_reason", "native_finish_reason", "finishReason", "stop_reason")
    reasons = [reason for reason in map(choice.get, names) if isinstance(reason, str)]
    filtered = next((reason for reason in reasons if _WITHHELD.match(reason)), None) or _block_reason(value)
    if filtered is not None:
        content = _reply(choice)
        return f"{filtered}: {content}" if content else filtered
    if choice.get("message") is None and not any(map(_CUT.fullmatch, reasons)):
        return "a choice without a message" if choice else "no choice"
    return None


def _block_reason(value: Mapping[str, Any]) -> str | None:
    """Return why Google's filter blocked the prompt."""
    feedback = value.get("promptFeedback") or value.get("prompt_feedback")
    reason = (feedback.get("blockReason") or feedback.get("block_reason")) if isinstance(feedback, dict) else None
    return reason if isinstance(reason, str) and reason else None


def _reply(choice: Mapping[str, Any]) -> str:
    """Return what the model wrote: its content, or its thoughts where the endpoint tells them apart and there is none.

    A content of several parts is that of its parts of text.
    """
    message = choice.get("message") or {}
    content = message.get("content")
    text = content if isinstance(content, str) else "".join(map(_text_of, _parts(message)))
    if not text.strip():
        thoughts = next(filter(None, map(_thought_of, _thoughts(message))), "")
        text = THOUGHT + thoughts if thoughts else text
    return _whole(text)


def _thoughts(message: Mapping[str, Any]) -> Iterator[Any]:
    """Yield where services put thoughts: of DeepSeek and vLLM, OpenRouter, Ollama, LiteLLM, Mistral."""
    yield from map(message.get, ("reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_blocks"))
    yield [part for part in _parts(message) if isinstance(part, dict) and part.get("type") in {"thinking", "reasoning"}]


def _thought_of(value: Any, depth: int = 0) -> str:
    """Return the text of thoughts: a text, or blocks of them."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth < MOST_NESTED:
        return "".join(_thought_of(entry, depth + 1) for entry in value)
    if isinstance(value, dict) and depth < MOST_NESTED:
        return next(filter(None, (_thought_of(value.get(name), depth + 1) for name in ("text", "thinking"))), "")
    return ""


def _parts(message: Mapping[str, Any]) -> Sequence[Any]:
    content = message.get("content")
    return content if isinstance(content, list) else ()


def _text_of(part: Any) -> str:
    """Return the text of a part of a content; a thought has none."""
    if isinstance(part, dict):
        part = part.get("text") if part.get("type", "text") in {"text", "output_text"} else None
        part = part.get("value") if isinstance(part, dict) else part
    return part if isinstance(part, str) else ""


def _first_token(logprobs: Any) -> dict[str, float]:
    """Return ``logprobs.content[0].top_logprobs`` by token, without the entries that cannot be what they must be.

    Of a token that is told twice with different numbers neither is kept.
    """
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    first = content[0] if isinstance(content, list) and content else None
    top = first.get("top_logprobs") if isinstance(first, dict) else None
    told: dict[str, set[float]] = {}
    for token, logprob in _told(top if isinstance(top, list) else ()):
        told.setdefault(token, set()).add(logprob)
    return {token: logprobs.pop() for token, logprobs in told.items() if len(logprobs) == 1}


def _told(entries: Sequence[Any]) -> Iterator[tuple[str, float]]:
    for entry in entries:
        token = entry.get("token") if isinstance(entry, dict) else None
        logprob = entry.get("logprob") if isinstance(entry, dict) else None
        if not isinstance(token, str) or not isinstance(logprob, int | float) or isinstance(logprob, bool):
            continue
        if UNLIKELY < logprob <= ROUNDING:
            yield token, min(float(logprob), 0.0)


def _unknown(constant: str) -> None:
    """Stand in for NaN and infinities, which JSON does not have and Python writes into it."""


def _whole(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text)


def _text(value: Any) -> str:
    return _whole(value) if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():  # as gateways in JavaScript and Lua may write it
        value = int(value)
    counted = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_TOKENS
    return value if counted else None

"""The protocol of a chat completion: the body of a request, and what can be believed of a response.

Field names as in the OpenAI API reference (https://platform.openai.com/docs/api-reference/chat/create).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from edgebias.backends.base import GenerationRequest, GenerationSettings, OptionScores

TOP_LOGPROBS = 20
"""Most tokens of a position whose log-probability the API gives."""

UNLIKELY = -9999.0
"""What the API writes for a token whose log-probability it does not tell."""


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""JSON can escape half a character, which no file can hold."""


@dataclass(frozen=True)
class Completion:
    """A response that is a chat completion.

    Token counts are None where the endpoint does not give them; ``first_token`` maps the most likely first tokens to
    their log-probabilities and is empty where it does not give those.
    """

    text: str
    model: str
    fingerprint: str
    prompt_tokens: int | None
    generated_tokens: int | None
    first_token: dict[str, float]


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

    Raises:
        ValueError: it is no JSON, or no chat completion with a choice that has a message.
    """
    # RecursionError: a few kilobytes of nested brackets are enough for one.
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"something else than JSON ({error})") from error
    choices = value.get("choices") if isinstance(value, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    content = message.get("content") if isinstance(message, dict) else 0
    if not isinstance(choice, dict) or not (content is None or isinstance(content, str)):
        raise ValueError("something else than a chat completion")
    usage = value["usage"] if isinstance(value.get("usage"), dict) else {}
    return Completion(
        text=_LONE_SURROGATE.sub("\ufffd", content or ""),
        model=_text(value.get("model")),
        fingerprint=_text(value.get("system_fingerprint")),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        generated_tokens=_count(usage.get("completion_tokens")),
        first_token=_first_token(choice.get("logprobs")),
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


def _first_token(logprobs: Any) -> dict[str, float]:
    """Return ``logprobs.content[0].top_logprobs`` by token; empty where any part of it is not what it must be."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    first = content[0] if isinstance(content, list) and content else None
    top = first.get("top_logprobs") if isinstance(first, dict) else None
    found: dict[str, float] = {}
    for entry in top if isinstance(top, list) else ():
        token = entry.get("token") if isinstance(entry, dict) else None
        logprob = entry.get("logprob") if isinstance(entry, dict) else None
        if not isinstance(token, str) or not isinstance(logprob, int | float) or isinstance(logprob, bool):
            return {}
        if not -math.inf < logprob <= 0 or token in found:
            return {}
        found[token] = float(logprob)
    return {token: logprob for token, logprob in found.items() if logprob > UNLIKELY}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _text(value: Any) -> str:
    return _LONE_SURROGATE.sub("\ufffd", value) if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

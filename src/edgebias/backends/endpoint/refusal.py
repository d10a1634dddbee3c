"""What an endpoint says where it does not answer: its own words, whether it is worth asking again, and the way out.

Services agree on the status and on little else. The body may be OpenAI's ``{"error": {"message", "type", "code",
"param"}}``, Google's list of ``google.rpc.Status``, FastAPI's ``{"detail": [{"loc", "msg"}]}``, a bare text, a page in
HTML, or nothing; so what is looked for is looked for anywhere in it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from edgebias.backends.endpoint.address import PATH

LONGEST = 300
"""Most characters of an endpoint's words that a message repeats."""

MAYBE_CHARGED = frozenset({408, 502, 504, 524})
"""Statuses that a gateway gives when it has lost sight of the model, which may have answered and be charged."""

_CODES = ("code", "type", "status", "reason", "@type", "quotaId", "blockReason")
_MESSAGES = ("message", "msg", "detail", "error_description", "error_message", "title", "errors", "error", "raw")

_SPENT = re.compile(
    r"insufficient[ _](?:quota|balance|credit|fund)|billing_(?:hard_limit|not_active)|billing[ _]hard[ _]limit"
    r"|quota_?exhausted|exceeded_?current_?quota|payment[ _]required|out of credits?|no credits?|arrearage"
    r"|credit balance is too low|per_?day",
    re.IGNORECASE,
)
_PERHAPS_SPENT = re.compile(r"exceeded your current quota|check your plan and billing", re.IGNORECASE)

_FILTER_CODE = re.compile(
    r"content[ _-]?(?:filter|policy|moderation|violation|blocked|risk)|responsible_?ai|data_?inspection|moderation"
    r"|(?:\b|_)safety(?:\b|_)|prohibited_?content|guardrail|invalid_prompt|policy_violation|sensitive|blocklist"
    r"|^spii$|^recitation$",
    re.IGNORECASE,
)
_FILTER_NAME = re.compile(
    r"content[ _]filter|content management policy|responsible_?ai_?policy|safety_check_type|content exists risk"
    r"|data_?inspection|内容.{0,12}(?:敏感|不安全|违规)|(?:敏感|不安全|违规).{0,12}内容",
    re.IGNORECASE,
)
_FILTER_WORDS = re.compile(
    r"""(?:prompt|input|output|content|request|response|message|text)s?\b[^.;]{0,60}\b
         (?:flagged|filter|block|moderat|inappropriate|sensitive|unsafe|harmful|considered[ ]high[ ]risk
         |safety|usage[ ](?:polic|guideline)|violat|prohibited)
        |(?:flag|block|reject|filter)(?:ged|ked|ed|ered|s)?\b[^.;]{0,60}\b
         (?:moderation|safety|content|usage[ ]polic|guardrail)
        |guardrail|moderation""",
    re.VERBOSE | re.IGNORECASE,
)
_OF_THE_ACCOUNT = re.compile(
    r"\b(?:account|organi[sz]ation|api[ _-]?key|project|subscription|country|region|territory|ip address|permission"
    r"|billing|workspace|user has been)\b",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"context[ _](?:length|window|size)|maximum context|too many tokens|prompt is too long|input is too long"
    r"|reduce the length|exceeds? the (?:available )?context|exceeds? context|too large for (?:the )?model"
    r"|(?:input|prompt|inputs`?) tokens?\b.{0,40}(?:exceed|must be <=)|request too large|message size"
    r"|token count\b.{0,40}exceeds?",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model[ _]not[ _]found|no such model|deployment_?not_?found|\bmodel\b.{0,80}\b(?:not exist|not found)",
    re.IGNORECASE,
)
_NO_MEMORY = re.compile(r"more (?:system )?memory|out of memory|insufficient memory|failed to allocate", re.IGNORECASE)
_ONE_OF_BOTH = re.compile(r"\bboth\b|only (?:use |specify |set )?one|mutually exclusive", re.IGNORECASE)
_UNSUPPORTED = re.compile(r"unsupported|not support|unknown|unrecogni[sz]ed|deprecated|instead", re.IGNORECASE)
_HTTPS = re.compile(r"plain HTTP request|HTTP request to an HTTPS server|requires? (?:TLS|HTTPS)", re.IGNORECASE)
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)
_STATUS_OF = {
    "insufficient_?quota|rate_?limit|resource_?exhausted|too_?many": 429,
    "unauthenticated|authentication|invalid_?api_?key|unauthorized": 401,
    "permission|forbidden": 403,
    "not_?found": 404,
    "invalid_?(?:request|argument)|bad_?request|unsupported": 400,
    "unavailable|overloaded|internal|server_?error|timeout": 503,
}

DEEPEST = 8
"""How deep a body is looked into."""


@dataclass(frozen=True)
class Refusal:
    """What an endpoint said instead of an answer.

    Attributes:
        words: its own, in one line.
        way_out: what to do about it.
        transient: whether another try makes sense.
        filtered: whether it refuses this one prompt, for what stands in it.
        too_long: whether the prompt is longer than the model's context.
        maybe_charged: whether the endpoint may charge for it all the same.
    """

    words: str
    way_out: str
    transient: bool = False
    filtered: bool = False
    too_long: bool = False
    maybe_charged: bool = False


def read_refusal(
    status: int,
    headers: Mapping[str, str],
    text: str,
    sent: Mapping[str, Any],
    extra: Collection[str] = (),
    *,
    waits: bool = False,
) -> Refusal:
    """Read a response that is no answer.

    Args:
        status: of HTTP, or the one that a body of status 200 names (`error_status`).
        headers: names in lower case.
        text: the body.
        sent: the body of the request.
        extra: names of its fields that the study does not set.
        waits: whether the endpoint names a wait after which it can be asked again.
    """
    value = json_value(text)
    codes = list(_codes(value))
    own = plain_line(_shown(status, value, text))
    if 300 <= status < 400:
        target = re.split("[?#]", plain_line(headers.get("location", "elsewhere")))[0]
        target = re.sub("^((?:[a-z+.-]+:)?//)[^/]*@", r"\1", target, flags=re.IGNORECASE)  # a user and a password
        way_out = "set endpoint to the base URL that it redirects to"
        if target.startswith("http") and target.endswith(PATH):
            way_out = f"set endpoint to {target.removesuffix(PATH)}"
        return Refusal(f"redirects to {target}", way_out)
    if _is_filtered(status, own, codes):
        return Refusal(own, "", filtered=True)
    if _is_spent(status, own, codes, waits):
        return Refusal(own, "its quota or credit is spent: top it up or wait until it is renewed, then run again")
    if status == 413 or (status in {400, 422} and _TOO_LONG.search(own)):
        return Refusal(own, "ask shorter items, or serve the model with a longer context", too_long=True)
    if status in {400, 404, 422} and (_NO_MODEL.search(own) or _is_quoted(str(sent.get("model", "")), own)):
        return Refusal(own, "check endpoint_model of the model")
    if status >= 500 and _NO_MEMORY.search(own):
        way_out = "serve a smaller model or a shorter context there, or free memory"
        return Refusal(own, way_out, maybe_charged=status in MAYBE_CHARGED)
    way_out = _way_out(status, own, _named_fields(value, own, sent), extra)
    transient = status in {408, 409, 425, 429} or status >= 500
    return Refusal(own, way_out, transient=transient, maybe_charged=status in MAYBE_CHARGED)


def error_status(text: str) -> int | None:
    """Return the status of the error that a body of status 200 holds in the place of an answer; None where it has none.

    Where it names none that is known, the status is 500: the error may be gone on the next try.
    """
    value = json_value(text)
    value = value[0] if isinstance(value, list) and value else value
    if not isinstance(value, dict):
        return None
    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    error = value.get("error")
    if not error and isinstance(choice, dict) and not isinstance(choice.get("message"), dict):
        error = choice.get("error")
        choice = None
    failed = value.get("object") == "error" or (error and not choice)
    if not failed:
        return None
    for code in _codes(value):
        if _FILTER_CODE.search(code):
            return 400
        number = int(code) if re.fullmatch("[45][0-9][0-9]", code) else None
        found = number or next((status for words, status in _STATUS_OF.items() if re.search(words, code, re.I)), None)
        if found is not None:
            return found
    return 500


def plain_line(text: str) -> str:
    """Return ``text`` as one line of printable characters, not longer than `LONGEST`."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 20 * LONGEST]).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def words_of(text: str) -> str:
    """Return what a body says, in one line; empty where it says nothing."""
    return plain_line(_words(json_value(text), text))


def _shown(status: int, value: Any, text: str) -> str:
    words = _words(value, text)
    if words:
        return words
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no words"


def _words(value: Any, text: str) -> str:
    if value is not None:
        return "; ".join(dict.fromkeys(_messages(value))) or text
    text = text[: 100 * LONGEST]
    if "<" not in text[:LONGEST]:
        return text
    title = re.search(r"<title[^>]*>(.*?)</title", text, re.DOTALL | re.IGNORECASE)
    return html.unescape(title[1] if title and title[1].strip() else _TAG.sub(" ", text))


def _messages(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the sentences of a JSON body, the most telling first."""
    if depth > DEEPEST:
        return
    if isinstance(value, str) and value.strip():
        inner = json_value(value) if value.lstrip().startswith(("{", "[")) else None
        yield from [value.strip()] if inner is None else _messages(inner, depth + 1)
    elif isinstance(value, list):
        for entry in value:
            yield from _messages(entry, depth + 1)
    elif isinstance(value, dict):
        place, message = value.get("loc"), value.get("msg")
        if isinstance(place, list) and isinstance(message, str):
            yield f"{'.'.join(map(str, place))}: {message}"
            return
        for key in _MESSAGES:
            yield from _messages(value.get(key), depth + 1)
        yield from _messages(_raw_of(value), depth + 1)


def _raw_of(value: Mapping[str, Any]) -> Any:
    """Return what a gateway passes on from the service behind it."""
    metadata = value.get("metadata")
    return metadata.get("raw") if isinstance(metadata, dict) else None


def _codes(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the codes of a body: short words and numbers, the outermost first."""
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for entry in value:
            yield from _codes(entry, depth + 1)
    elif isinstance(value, dict):
        for key in _CODES:
            code = value.get(key)
            if isinstance(code, str | int) and not isinstance(code, bool):
                yield str(code)[:LONGEST]
        yield from (key for key in value if "filter" in key.lower())
        for entry in value.values():
            inner = json_value(entry) if isinstance(entry, str) and entry.lstrip().startswith("{") else entry
            yield from _codes(inner, depth + 1)


def _is_filtered(status: int, words: str, codes: Collection[str]) -> bool:
    if status not in {400, 403, 422, 451}:
        return False
    if any(_FILTER_CODE.search(code) for code in codes) or _FILTER_NAME.search(words):
        return True
    return bool(_FILTER_WORDS.search(words)) and not _OF_THE_ACCOUNT.search(words)


def _is_spent(status: int, words: str, codes: Collection[str], waits: bool) -> bool:
    if status == 402:
        return True
    if status not in {400, 401, 403, 429}:
        return False
    if any(_SPENT.search(code) for code in codes) or _SPENT.search(words):
        return True
    return not waits and bool(_PERHAPS_SPENT.search(words))


def _named_fields(value: Any, words: str, sent: Collection[str]) -> list[str]:
    """Return the fields of the request that a refusal names."""
    found = [name for name in _field_names(value) if name in sent]
    found = found or sorted(name for name in sent if _is_quoted(name, words))
    if not found:
        plain = (name for name in sent if name not in {"model", "messages", "stop"})  # those are everyday words
        found = sorted(name for name in plain if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", words))
    return list(dict.fromkeys(found))


def _is_quoted(name: str, words: str) -> bool:
    return bool(name) and any(f"{opened}{name}{closed}" in words for opened, closed in ("''", '""', "``", "“”", "‘’"))


def _field_names(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for entry in value:
            yield from _field_names(entry, depth + 1)
    elif isinstance(value, dict):
        place = value.get("loc")
        named = [value.get("param"), value.get("field"), *(place if isinstance(place, list) else ())]
        yield from (re.split(r"[.\[]", name)[0] for name in named if isinstance(name, str))
        for entry in value.values():
            yield from _field_names(entry, depth + 1)


def _way_out(status: int, words: str, fields: Sequence[str], extra: Collection[str]) -> str:
    if _HTTPS.search(words):
        return "write https:// in endpoint"
    if status in {400, 422} and fields:
        return _way_out_of_fields(fields, words, extra)
    if status >= 500:
        return "ask again later, or raise max_retries"
    return _WAY_OUT.get(status, "check that endpoint is an OpenAI-compatible base URL")


def _way_out_of_fields(fields: Sequence[str], words: str, extra: Collection[str]) -> str:
    field = fields[0]
    if field == "model":
        return "check endpoint_model of the model"
    if field == "messages":
        return "check that the model takes these roles and texts"
    if field in {"max_tokens", "max_completion_tokens"}:
        other = "max_completion_tokens" if field == "max_tokens" else "max_tokens"
        refused = other in words or _UNSUPPORTED.search(words)
        return f"set max_tokens_field: {other}" if refused else "set infer.max_new_tokens to what it takes"
    if {"temperature", "top_p"} <= set(fields) and _ONE_OF_BOTH.search(words):
        return "name top_p under omit"  # which is 1 and changes nothing
    if field in {"logprobs", "top_logprobs"}:
        return "set logprobs: false"
    if field in extra:
        return f"leave {' and '.join(name for name in fields if name in extra)} out of extra"
    return f"name {' and '.join(name for name in fields if name not in extra)} under omit"


_WAY_OUT = {
    400: "name a parameter that it refuses under omit",
    401: "check the key in the variable that api_key_env names",
    403: "check what the key in the variable that api_key_env names may use",
    404: "check endpoint (it mostly ends in /v1) and endpoint_model of the model",
    405: "check endpoint (it mostly ends in /v1)",
    407: "check the user and password of the proxy",
    422: "name a parameter that it refuses under omit",
    429: "wait, lower concurrency, or raise max_retries",
}


def json_value(text: str) -> Any:
    """Return the value of a JSON text; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

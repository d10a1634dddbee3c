"""When to ask an endpoint again: what it says itself, else exponential backoff with jitter."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tenacity import RetryCallState, wait_exponential, wait_random_exponential

from edgebias.backends.endpoint.refusal import DEEPEST, json_value

MOST_SECONDS = 8.0
"""Longest wait where the endpoint names none."""

MOST_ASKED_SECONDS = 120.0
"""Longest wait that an endpoint is granted; one that names more is asked again earlier and may refuse again."""

BACKOFF = wait_exponential(multiplier=0.25, max=MOST_SECONDS / 2) + wait_random_exponential(
    multiplier=0.25, max=MOST_SECONDS / 2
)
"""0.5 s doubling to `MOST_SECONDS`, of which up to half is taken off at random, so that concurrent requests that failed
together do not come back together."""

_UNITS = {"ms": 0.001, "milliseconds": 0.001, "s": 1.0, "seconds": 1.0, "m": 60.0, "minutes": 60.0, "h": 3600.0}
_UNITS |= {name.removesuffix("s"): _UNITS[name] for name in ("milliseconds", "seconds", "minutes")}
_UNITS |= {"sec": 1.0, "secs": 1.0, "min": 60.0, "mins": 60.0, "hours": 3600.0, "hour": 3600.0}
_ONE = rf"(\d+(?:\.\d+)?)\s*({'|'.join(sorted(_UNITS, key=len, reverse=True))})(?![a-z])"
_DURATION = rf"(?:\d+(?:\.\d+)?\s*(?:{'|'.join(sorted(_UNITS, key=len, reverse=True))})\s*)+(?![a-z])"
_NAMED = re.compile(rf"\b(?:retry|again|wait)\b[^.;\d]{{0,40}}?(?P<wait>{_DURATION})", re.IGNORECASE)
"""\"Please try again in 1.5s\", \"retry after 26 seconds\", \"wait 2 seconds\"."""

_FIELDS = {"retrydelay": 1.0, "retryafter": 1.0, "retryafterseconds": 1.0, "retryafters": 1.0, "retryinseconds": 1.0}
_FIELDS |= {"estimatedtime": 1.0, "resetafter": 1.0, "resetafterseconds": 1.0}
_FIELDS |= {"retryafterms": 1000.0, "retryaftermilliseconds": 1000.0}
"""Fields of a body that name a wait, without case, "-" and "_", and how many of their units are a second."""


def wait_as_asked(state: RetryCallState) -> float:
    """Return the seconds before the next try: those that the endpoint asks for, else those of `BACKOFF`.

    Args:
        state: of tenacity; the headers and the body of the last response are attributes of the exception in it.
    """
    failure = None if state.outcome is None else state.outcome.exception()
    asked = asked_seconds(getattr(failure, "headers", {}), text=getattr(failure, "text", ""))
    return BACKOFF(state) if asked is None else asked


def asked_seconds(headers: Mapping[str, str], now: datetime | None = None, *, text: str = "") -> float | None:
    """Return the seconds that an endpoint asks to wait, from 0 to `MOST_ASKED_SECONDS`; None where it does not say.

    ``Retry-After`` is a number of seconds or a date (RFC 9110, section 10.2.3); OpenAI also sends ``Retry-After-Ms``.
    Others say it in the body: as a field (``retryDelay`` of ``google.rpc.RetryInfo``: "38s") or in a sentence ("try
    again in 1.5s").

    Args:
        headers: of the response, names in lower case or a case-insensitive mapping.
        now: the present time, for tests.
        text: the body.
    """
    asked = _number(headers.get("retry-after-ms", ""), 1000.0)
    if asked is None:
        asked = _number(headers.get("retry-after", ""), 1.0)
    if asked is None:
        asked = _until(headers.get("retry-after", ""), now or datetime.now(UTC))
    if asked is None:
        asked = _in_body(text)
    return None if asked is None else min(max(asked, 0.0), MOST_ASKED_SECONDS)


def _in_body(text: str) -> float | None:
    named = next(_fields(json_value(text)), None)
    if named is not None:
        return named
    sentence = _NAMED.search(text)
    return None if sentence is None else _duration(sentence["wait"])


def _fields(value: Any, depth: int = 0) -> Iterator[float]:
    """Yield the waits that the fields of a JSON value name."""
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for entry in value:
            yield from _fields(entry, depth + 1)
    elif isinstance(value, dict):
        for name, entry in value.items():
            per_second = _FIELDS.get(re.sub("[-_]", "", name.lower()))
            seconds = None if per_second is None else _seconds(entry, per_second)
            if seconds is not None:
                yield seconds
            yield from _fields(entry, depth + 1)


def _seconds(value: Any, per_second: float) -> float | None:
    if isinstance(value, dict):  # google.protobuf.Duration
        return _number(value.get("seconds", ""), 1.0)
    if isinstance(value, str) and re.fullmatch(_DURATION, value.strip(), re.IGNORECASE):
        return _duration(value)
    return None if isinstance(value, bool) else _number(value, per_second)


def _duration(text: str) -> float:
    """Return the seconds of "38s", "1m2.5s" or "26 seconds"."""
    return sum(float(number) * _UNITS[unit.lower()] for number, unit in re.findall(_ONE, text, re.IGNORECASE))


def _number(value: Any, per_second: float) -> float | None:
    try:
        seconds = float(value) / per_second
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None


def _until(text: str, now: datetime) -> float | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # "-0000" (RFC 5322) gives a date without a zone: it is in UTC all the same.
    return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()

"""When to ask an endpoint again: what it says itself, else exponential backoff with jitter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState, wait_exponential, wait_random_exponential

MOST_SECONDS = 8.0
"""Longest wait where the endpoint names none."""

MOST_ASKED_SECONDS = 120.0
"""Longest wait that an endpoint is granted; one that names more is asked again earlier and may refuse again."""

BACKOFF = wait_exponential(multiplier=0.25, max=MOST_SECONDS / 2) + wait_random_exponential(
    multiplier=0.25, max=MOST_SECONDS / 2
)
"""0.5 s doubling to `MOST_SECONDS`, of which up to half is taken off at random, so that concurrent requests that failed
together do not come back together."""


def is_transient(status: int) -> bool:
    """Tell whether an HTTP status may be gone on the next try: timeout, conflict, too many requests, server faults."""
    return status in {408, 409, 429} or status >= 500


def wait_as_asked(state: RetryCallState) -> float:
    """Return the seconds before the next try: those that the endpoint asks for, else those of `BACKOFF`.

    Args:
        state: of tenacity; the headers of the last response are an attribute of the exception that it holds.
    """
    failure = None if state.outcome is None else state.outcome.exception()
    asked = asked_seconds(getattr(failure, "headers", {}))
    return BACKOFF(state) if asked is None else asked


def asked_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that an endpoint asks to wait, from 0 to `MOST_ASKED_SECONDS`; None where it does not say.

    ``Retry-After`` is a number of seconds or a date (RFC 9110, section 10.2.3); OpenAI also sends ``Retry-After-Ms``.

    Args:
        headers: of the response, names in lower case or a case-insensitive mapping.
        now: the present time, for tests.
    """
    asked = _number(headers.get("retry-after-ms", ""), 1000.0)
    if asked is None:
        asked = _number(headers.get("retry-after", ""), 1.0)
    if asked is None:
        asked = _until(headers.get("retry-after", ""), now or datetime.now(UTC))
    return None if asked is None else min(max(asked, 0.0), MOST_ASKED_SECONDS)


def _number(text: str, per_second: float) -> float | None:
    try:
        seconds = float(text) / per_second
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def _until(text: str, now: datetime) -> float | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # "-0000" (RFC 5322) gives a date without a zone: it is in UTC all the same.
    return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()

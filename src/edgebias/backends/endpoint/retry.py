"""When to ask an endpoint again: what it says itself, else exponential backoff with jitter."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_SECONDS = 0.5
MOST_SECONDS = 8.0
"""Longest wait where the endpoint names none."""

MOST_ASKED_SECONDS = 120.0
"""Longest wait that an endpoint is granted; one that names more is asked again earlier and may refuse again."""


def is_passing(status: int) -> bool:
    """Whether an HTTP status may be gone on the next try: timeout, conflict, too many requests, faults of a server."""
    return status in {408, 409, 429} or status >= 500


def seconds_to_wait(failures: int, headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Seconds before the next try.

    ``Retry-After`` is a number of seconds or a date (RFC 9110, section 10.2.3); OpenAI also sends ``Retry-After-Ms``.
    Where there is neither, or it cannot be read, the wait doubles with each failure and up to half of it is taken off
    at random, so that concurrent requests that failed together do not come back together.

    Args:
        failures: how many tries of this request have failed, at least 1.
        headers: of the response, names in lower case or a case-insensitive mapping.
        now: the present time, for tests.
    """
    asked = _number(headers.get("retry-after-ms", ""), 1000.0)
    if asked is None:
        asked = _number(headers.get("retry-after", ""), 1.0)
    if asked is None:
        asked = _until(headers.get("retry-after", ""), now or datetime.now(UTC))
    if asked is not None:
        return min(max(asked, 0.0), MOST_ASKED_SECONDS)
    longest = min(FIRST_SECONDS * 2.0 ** min(failures - 1, 16), MOST_SECONDS)
    return longest * (1.0 - 0.5 * random.random())


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

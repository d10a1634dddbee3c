"""How a number looks: always with its interval, never more digits than the interval supports."""

from __future__ import annotations

import math
from typing import Any

MINUS = "\N{MINUS SIGN}"
ABSENT = "\N{EN DASH}"


def number(value: Any, digits: int = 3) -> str:
    """Return ``value`` with ``digits`` significant digits, a real minus sign, and a dash for what is undefined."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return ABSENT
    if isinstance(value, int) or (float(value).is_integer() and (value == 0 or abs(value) >= 10)):
        return f"{int(value):,}".replace("-", MINUS)
    size = abs(value)
    decimals = digits if size < 1 else max(digits - 1 - int(math.log10(size)), 0)
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """Write a number as `number` does, with a plus sign before positive values."""
    text = number(value, digits)
    return f"+{text}" if math.isfinite(value) and value > 0 and any(c in "123456789" for c in text) else text


def interval(low: float, high: float, digits: int = 3) -> str:
    """Return ``[low, high]``, or a dash where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ABSENT
    return f"[{number(low, digits)}, {number(high, digits)}]"


def estimate(value: float, low: float, high: float, digits: int = 3, undefined: str = "undefined") -> str:
    """Return a score with its interval; ``undefined`` where there is no score, ``[–]`` where there is no interval."""
    return f"{number(value, digits)} {brackets(low, high, digits)}" if math.isfinite(value) else undefined


def signed_estimate(value: float, low: float, high: float, digits: int = 3) -> str:
    """Return a difference with its interval, as `signed` and `brackets` write them."""
    return f"{signed(value, digits)} {brackets(low, high, digits)}"


def brackets(low: float, high: float, digits: int = 3) -> str:
    """Write an interval as `interval` does, with brackets also where there is none.

    The reader sees that one is missing.
    """
    text = interval(low, high, digits)
    return text if text != ABSENT else f"[{ABSENT}]"


def p_value(value: float) -> str:
    """Return ``p = 0.012`` or ``p < 0.001``."""
    text = p_number(value)
    return f"p = {text}" if text[0].isdigit() else f"p {text}"


def p_number(value: float) -> str:
    """Return ``0.012``, ``< 0.001`` or a dash: as `p_value`, for a column that says p in its head."""
    if not math.isfinite(value):
        return ABSENT
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def percent(value: float, decimals: int = 1) -> str:
    """Return a share as a percentage."""
    return f"{100 * value:.{decimals}f} %".replace("-", MINUS) if math.isfinite(value) else ABSENT


def rounded(value: Any) -> Any:
    """Return a number with four decimals, as a file of numbers holds it; None of what is undefined."""
    if isinstance(value, bool):
        return value
    return round(float(value), 4) if value is not None and math.isfinite(float(value)) else None

"""Answers as JSON and back, bit for bit: every float and every string comes back as it was, NaN and infinities too."""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from typing import Any

from edgebias.backends.base import Generation, OptionScores


def to_json(value: Any) -> str:
    """Return ``value`` as JSON; numpy's numbers become Python's, records become mappings.

    Raises:
        TypeError: ``value`` holds something that JSON has no form for.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def read_scores(value: Any) -> OptionScores:
    """Return scores that JSON held; those without ``tokens`` lack these.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: they are no scores.
    """
    return OptionScores(
        tuple(map(float, value["logprobs"])),
        tuple(map(int, value["n_tokens"])),
        tuple(tuple(map(int, each)) for each in value.get("tokens", ())),
        tuple(tuple(map(float, each)) for each in value.get("token_logprobs", ())),
    )


def read_generation(value: Any) -> Generation:
    """Return a text that JSON held, with its scores where it had any.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is no such text.
    """
    scores = value.get("scores")
    return Generation("".join(value["text"]), int(value["n_tokens"]), None if scores is None else read_scores(scores))


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    if is_dataclass(value):
        return vars(value)
    raise TypeError(f"{type(value).__name__} cannot be kept in a store")

"""From logits to numbers and tokens, without any library's own sampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebias.backends.base import NotFiniteError

NOT_FINITE = (
    "the model's logits are not finite: its activations leave the range of 16-bit floats, or its weights are damaged; "
    "make its builds with models.NAME.full_type: BF16 (or F32)"
)
"""Why an answer cannot be read, and the way out."""


def log_probability(logits: npt.NDArray[Any], tokens: Sequence[int]) -> list[float]:
    """Return the natural log-probability of each of ``tokens`` under one row of ``logits``, in double precision.

    Raises:
        NotFiniteError: a logit is not finite.
    """
    row = logits.astype(np.float64)
    top = row.max()
    check_finite(top)
    normaliser = top + np.log(np.exp(row - top).sum())
    return [float(row[token] - normaliser) for token in tokens]


def choose_token(logits: npt.NDArray[Any], temperature: float, generator: np.random.Generator) -> int:
    """Return the next token: the first largest logit at temperature 0, else a draw from softmax(logits / temperature).

    One uniform number is drawn for each token and looked up in the cumulative distribution, so that a draw depends
    on the seed and the logits alone.

    Raises:
        NotFiniteError: a logit is not finite.
    """
    if temperature == 0:
        token = int(np.argmax(logits))  # the first NaN where there is one
        check_finite(logits[token])
        return token
    row = logits.astype(np.float64) / temperature
    check_finite(row.max())
    cumulative = np.cumsum(np.exp(row - row.max()))
    position = np.searchsorted(cumulative, generator.random() * cumulative[-1], side="right")
    return int(min(position, len(row) - 1))


def check_finite(logit: float) -> None:
    """Check the largest logit of a row, which is NaN where one of them is.

    Raises:
        NotFiniteError: it is not finite.
    """
    if not np.isfinite(logit):
        raise NotFiniteError(NOT_FINITE)


def cut_at_stop(text: str, stops: Sequence[str]) -> str | None:
    """Return ``text`` up to the first of ``stops``, or None where none occurs."""
    found = [index for index in (text.find(stop) for stop in stops if stop) if index >= 0]
    return text[: min(found)] if found else None


def common_prefix_length(left: Sequence[int], right: Sequence[int]) -> int:
    """Return the length of the longest common prefix of two token sequences."""
    length = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        length += 1
    return length

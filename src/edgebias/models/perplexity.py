"""Perplexity on a fixed neutral text, for any model that can score a continuation.

The text is BOLD's Wikipedia part on professions (Dhamala et al. 2021, profession_wiki.json), one
sentence at a time after the model's start token.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edgebias.backends.base import OptionRequest, OptionScores, Prompt
from edgebias.core.errors import InputError
from edgebias.core.spreadsheet import read_text
from edgebias.models.neutral_text import PATH

Part = Literal["calibration", "fit", "perplexity"]
"""Disjoint thirds of the sentences: Wanda's activations, whatever a mitigation learns from, and measurement."""

MIN_CHARACTERS = 40
MAX_CHARACTERS = 400
_BATCH = 16


@dataclass(frozen=True)
class Perplexity:
    """Mean negative log-likelihood per token (nats), its exponential, and what it was measured on."""

    mean_nll: float
    value: float
    n_tokens: int
    n_sentences: int


def neutral_sentences(path: Path, part: Part) -> list[str]:
    """Return the sentences of one part, in a fixed order that looks random.

    Order and part come from the SHA-256 of each sentence alone, so that the parts never share a
    sentence and adding a sentence to the file moves no other. Sentences shorter than 40 or longer
    than 400 characters are left out: fragments and lists.

    Raises:
        InputError: the file is no BOLD Wikipedia file.
    """
    try:
        groups = json.loads(read_text(path, "run the fetch-benchmarks stage again"))
        texts = {
            " ".join(sentence.split())
            for pages in groups.values()
            for sentences in pages.values()
            for sentence in sentences
        }
        hashes = {text: hashlib.sha256(text.encode("utf-8")).digest() for text in texts}
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run the fetch-benchmarks stage, which writes {PATH}") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"{path}: not a BOLD Wikipedia file ({error}); run the fetch-benchmarks stage again"
        ) from error
    parts = get_args(Part)
    chosen = [
        text
        for text, digest in hashes.items()
        if MIN_CHARACTERS <= len(text) <= MAX_CHARACTERS and parts[digest[-1] % len(parts)] == part
    ]
    if not chosen:
        raise InputError(f"{path}: has no sentences of {MIN_CHARACTERS} to {MAX_CHARACTERS} characters; fetch it again")
    return sorted(chosen, key=lambda text: hashes[text])


def mean_negative_log_likelihood(
    score: Callable[[list[str]], Iterable[OptionScores]], sentences: Sequence[str], n_tokens: int | None = None
) -> Perplexity:
    """Score sentences one after another until ``n_tokens`` tokens are reached (whole sentences; ``None``: all).

    Perplexity is ``exp(-sum of log-probabilities / number of tokens)`` over all scored tokens.

    Args:
        score: log-probability and token count of each sentence, in order, as the first option of
            each result; `sentence_scorer` makes one from a backend.
        sentences: what to score, in order.
        n_tokens: how many tokens are enough.

    Raises:
        InputError: the sentences have fewer tokens than asked for, or none.
    """
    total, tokens, count = 0.0, 0, 0
    for start in range(0, len(sentences), _BATCH):
        for scores in score(list(sentences[start : start + _BATCH])):
            if n_tokens is not None and tokens >= n_tokens:
                break
            total += scores.logprobs[0]
            tokens += scores.n_tokens[0]
            count += 1
        if n_tokens is not None and tokens >= n_tokens:
            break
    if tokens == 0 or (n_tokens is not None and tokens < n_tokens):
        raise InputError(f"the neutral text has {tokens} tokens, {n_tokens} are asked for; lower the number of tokens")
    mean = -total / tokens
    return Perplexity(mean_nll=mean, value=math.exp(mean), n_tokens=tokens, n_sentences=count)


def sentence_scorer(
    score: Callable[[Sequence[OptionRequest]], Iterable[OptionScores]],
) -> Callable[[list[str]], Iterable[OptionScores]]:
    """Turn ``Backend.score`` into a scorer of sentences that begin a text."""
    return lambda sentences: score([OptionRequest(Prompt(text=""), (sentence,)) for sentence in sentences])

"""How far a build's next-token probabilities are from the reference's, on a fixed text.

The reference's probabilities of every token of the vocabulary, after every token of the text, are kept in 16 bits: the
negative log-probability in steps of `DEPTH` / 65535, a third of a thousandth of a nat, so that a divergence of a
thousandth of a nat can still be seen. What is less likely than exp(-24) counts as that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from edgebias.backends.base import OptionRequest, Prompt
from edgebias.backends.local.prefix_tree import PrefixTree
from edgebias.backends.local.sampling import check_finite
from edgebias.core.errors import InputError
from edgebias.core.files import atomic, write_parquet
from edgebias.core.progress import Progress

if TYPE_CHECKING:
    from edgebias.backends.local.llama_engine import LlamaBackend

DEPTH = 24.0
STEPS = 65535

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint16]
Read = tuple[list[int], list[int]]
"""The tokens of a sentence after the start token, and the start token or what stands for it."""


def chosen_sentences(backend: LlamaBackend, sentences: Sequence[str], n_tokens: int) -> list[Read]:
    """Return the tokens of the first sentences that have ``n_tokens`` together, each with the prompt before it.

    Raises:
        InputError: the model has no begin token.
    """
    found: list[Read] = []
    for sentence in sentences:
        if sum(len(tokens) for tokens, _ in found) >= n_tokens:
            break
        prompt, (tokens,) = backend.tokens_of(0, OptionRequest(Prompt(text=""), (sentence,)))
        found.append((tokens, prompt))
    return found


def write_text(backend: LlamaBackend, sentences: Sequence[str], n_tokens: int, codes: Path, table: Path) -> None:
    """Write the reference's probabilities and, as of a build that is the same, the table of its tokens.

    Args:
        backend: the reference.
        sentences: the text, in order.
        n_tokens: how many tokens are enough.
        codes: 16 bits for each token of the text and each of the vocabulary, to write.
        table: one row for each token of the text, to write.
    """
    rows = []
    with atomic(codes) as temporary:
        with temporary.open("wb") as file:
            for number, tokens, logprobs in _read(backend, chosen_sentences(backend, sentences, n_tokens)):
                encode(logprobs).tofile(file)
                rows.append(_rows(number, tokens, logprobs, np.zeros(len(tokens)), np.ones(len(tokens), np.bool_)))
        write_parquet(pd.concat(rows), table, ["sentence", "token"])


def compare_text(backend: LlamaBackend, sentences: Sequence[str], n_tokens: int, codes: Path, table: Path) -> None:
    """Write what a build gives to each token of the text, and how far it is from the reference's ``codes``.

    Raises:
        InputError: the file of the reference is not of this text.
    """
    chosen = chosen_sentences(backend, sentences, n_tokens)
    stored = np.memmap(codes, np.uint16, "r")
    n_rows = sum(len(tokens) for tokens, _ in chosen)
    if stored.size % n_rows:
        raise InputError(f"{codes}: is not whole; delete it and run again")
    of_rows = stored.reshape(n_rows, -1)
    rows, start = [], 0
    for number, tokens, logprobs in _read(backend, chosen):
        reference = decode(of_rows[start : start + len(tokens)])
        start += len(tokens)
        agrees = reference.argmax(axis=1) == encode(logprobs).argmin(axis=1)
        rows.append(_rows(number, tokens, logprobs, divergence(reference, logprobs), agrees))
    write_parquet(pd.concat(rows), table, ["sentence", "token"])


def divergence(reference: Floats, build: Floats) -> npt.NDArray[np.float64]:
    """Return the Kullback-Leibler divergence (nats) of each row of log-probabilities ``build`` from ``reference``."""
    found = np.sum(np.exp(reference) * (reference - build), axis=1, dtype=np.float64)
    return np.maximum(found, 0.0)


def encode(logprobs: Floats) -> Codes:
    """Return log-probabilities in 16 bits."""
    codes: Codes = np.round(np.minimum(-logprobs / DEPTH, 1.0) * STEPS).astype(np.uint16)
    return codes


def decode(codes: Codes) -> Floats:
    """Return what `encode` was given, but for rounding; the probabilities of a row add up to 1."""
    logprobs = codes.astype(np.float32) * np.float32(-DEPTH / STEPS)
    logprobs -= np.log(np.sum(np.exp(logprobs), axis=1, keepdims=True, dtype=np.float64)).astype(np.float32)
    return logprobs


def _read(backend: LlamaBackend, chosen: Sequence[Read]) -> Iterator[tuple[int, list[int], Floats]]:
    """Yield number, tokens, and the log-probabilities before each token of every sentence."""
    with Progress("fixed text", len(chosen), "sentences") as progress:
        for number, (tokens, prompt) in enumerate(chosen):
            tree = PrefixTree()
            path = tree.add([*prompt, *tokens[:-1]])
            logits = backend.logits_after(number, tree, path[len(prompt) - 1 :])
            yield number, tokens, _log_softmax(logits)
            progress.advance()


def _log_softmax(logits: Floats) -> Floats:
    top = logits.max(axis=1, keepdims=True)
    for value in top[:, 0]:
        check_finite(float(value))
    shifted = logits - top
    total = np.sum(np.exp(shifted), axis=1, keepdims=True, dtype=np.float64)
    logprobs: Floats = shifted - np.log(total).astype(np.float32)
    return logprobs


def _rows(
    number: int, tokens: list[int], logprobs: Floats, kl: npt.NDArray[np.float64], agrees: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sentence": number,
            "token": np.arange(len(tokens)),
            "logprob": logprobs[np.arange(len(tokens)), tokens].astype(np.float64),
            "divergence": kl,
            "agrees": agrees,
        }
    )

"""A gate: is a request of the kind that the vectors were learned for? If not, the model answers as it is.

The gate reads the words of a request alone, before any block: the mean of their token embeddings, as the build has
them, on one side or the other of a plane. So it costs a sum over the tokens of the request and no pass of the model,
and a number for each token of the vocabulary. `edgebias.mitigate.steering.gate_fitting` finds the plane.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from edgebias.backends.base import Prompt
from edgebias.core.arrays import FloatArray
from edgebias.core.errors import InputError
from edgebias.core.files import read_json
from edgebias.mitigate.steering.directions import Matrix
from edgebias.mitigate.steering.token_embeddings import embedding_blocks
from edgebias.mitigate.steering.vector_file import model_shape


@dataclass(frozen=True)
class Gate:
    """Opens where ``mean embedding of a request's tokens . normal >= threshold``; ``normal`` has shape (n_embd,)."""

    normal: FloatArray
    threshold: float

    def of_tokens(self, embeddings: Iterable[Matrix]) -> TokenGate:
        """Return the gate for a build whose token embeddings come in blocks of (rows, n_embd), in the vocabulary's
        order.
        """
        says = chain.from_iterable(rows.astype(np.float64) @ self.normal for rows in embeddings)
        return TokenGate(np.fromiter(says, np.float64), self.threshold)


@dataclass(frozen=True)
class TokenGate:
    """What every token of the vocabulary says for opening, shape (vocabulary,), and the mean from which it opens."""

    says: FloatArray
    threshold: float

    def opens(self, tokens: Sequence[int]) -> bool:
        """Return whether requests of these words are steered; without any they are not."""
        return bool(tokens) and float(np.mean(self.says[list(tokens)])) >= self.threshold


def words_of(prompt: Prompt, options: Sequence[str] = ()) -> str:
    """Return what a gate reads of a request: its text or messages, without a chat template, and its options."""
    text = " ".join(message.content for message in prompt.messages) if prompt.text is None else prompt.text
    return text + "".join(options)


def read_gate(path: Path, width: int) -> Gate:
    """Return the gate of a build of ``width`` embedding dimensions.

    Raises:
        InputError: there is no such file, or it holds no gate of this width.
    """
    record = read_json(path)
    normal, threshold = record.get("normal"), record.get("threshold")
    if not isinstance(normal, list) or len(normal) != width or not isinstance(threshold, int | float):
        raise InputError(f"{path}: is no gate of a model of width {width}; run `edgebias gate`")
    return Gate(np.array(normal, dtype=np.float64), float(threshold))


def open_gate(path: Path, weights: Path) -> TokenGate:
    """Return the gate at ``path`` for the build ``weights``.

    Raises:
        InputError: a file is unusable, or they do not belong together.
    """
    _, width = model_shape(weights)
    return read_gate(path, width).of_tokens(embedding_blocks(weights))

"""The token embeddings of a build: what its first block reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgebias.errors import InputError
from edgebias.gguf_file import open_gguf
from edgebias.mitigate.directions import Matrix

EMBEDDINGS = "token_embd.weight"


def embedding_rows(weights: Path, tokens: Sequence[int] | None = None) -> Matrix:
    """The embeddings of ``tokens`` in a build, (tokens, n_embd); of the whole vocabulary where none are named.

    Raises:
        InputError: the file is no GGUF model, or has no token embeddings.
    """
    from gguf.quants import dequantize

    table = next((tensor for tensor in open_gguf(weights).tensors if tensor.name == EMBEDDINGS), None)
    if table is None:
        raise InputError(f"{weights}: has no tensor {EMBEDDINGS}; choose a language model")
    data = table.data if tokens is None else table.data[list(tokens)]
    return np.asarray(dequantize(data, table.tensor_type), dtype=np.float32)

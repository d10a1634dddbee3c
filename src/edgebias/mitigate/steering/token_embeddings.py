"""The token embeddings of a build: what its first block reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgebias.core.errors import InputError
from edgebias.mitigate.steering.directions import Matrix
from edgebias.models.gguf import open_header

EMBEDDINGS = "token_embd.weight"

BLOCK = 16
"""Rows of the table that are taken at a time: whole, that of a small model takes a hundred megabytes as numbers."""


def embedding_rows(weights: Path, tokens: Sequence[int]) -> Matrix:
    """Return the embeddings of ``tokens`` in a build, (tokens, n_embd).

    Raises:
        InputError: the file is no GGUF model, or has no token embeddings.
    """
    table = _table(weights)
    return _numbers(table, table.data[list(tokens)])


def embedding_blocks(weights: Path) -> Iterator[Matrix]:
    """Yield the embeddings of the whole vocabulary in its order, at most `BLOCK` rows at a time.

    They are read from the file, not out of a map of it, whose pages would count as this process's a second time.

    Raises:
        InputError: as `embedding_rows`.
    """
    table = _table(weights)
    with weights.open("rb") as file:
        file.seek(table.data_offset)
        for first in range(0, len(table.data), BLOCK):
            shape = table.data[first : first + BLOCK].shape
            yield _numbers(table, np.fromfile(file, table.data.dtype, int(np.prod(shape))).reshape(shape))


def _table(weights: Path) -> Any:
    table = next((tensor for tensor in open_header(weights).tensors if tensor.name == EMBEDDINGS), None)
    if table is None:
        raise InputError(f"{weights}: has no tensor {EMBEDDINGS}; choose a language model")
    return table


def _numbers(table: Any, rows: Any) -> Matrix:
    from gguf.quants import dequantize

    return np.asarray(dequantize(rows, table.tensor_type), dtype=np.float32)

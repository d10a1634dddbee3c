"""What one token costs a build: bytes that are read and operations that are done, from the file itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError
from edgebias.models.gguf import metadata, open_gguf

EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"
FLOAT_TYPES = ("F32", "F16", "BF16")
KEY_AND_VALUE_BYTES = 2
"""llama.cpp keeps keys and values at 16 bits unless told otherwise, and nothing here tells it."""


@dataclass(frozen=True)
class Build:
    """One build of a model.

    Attributes:
        model: its name.
        variant: the build's name.
        weights: what its products are made of: ``f16``, or ``int8`` where activations are quantised to 8 bits as well.
        parameters: all of them.
        block_parameters: those that every token of a prompt is multiplied with; the vocabulary is for the last alone.
        weight_bytes: read for every token that is written.
        kv_bytes_per_token: keys and values of one token.
    """

    model: str
    variant: str
    weights: str
    parameters: int
    block_parameters: int
    weight_bytes: int
    kv_bytes_per_token: int

    @property
    def bits_per_weight(self) -> float:
        """Mean over everything that is read for a token."""
        return 8.0 * self.weight_bytes / self.parameters


def read_build(path: Path) -> Build:
    """Take a build's sizes out of ``{model}/{variant}.gguf``.

    The embedding table counts as read where it is the output matrix, too (tied, as in SmolLM2); of a table of its own
    one row is read for a token, which is nothing.

    Raises:
        InputError: the file is no model, or names no layers and heads.
    """
    reader = open_gguf(path)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    idle = {EMBEDDING} if OUTPUT in tensors else set()
    read = [tensor for name, tensor in tensors.items() if name not in idle]
    blocks = [tensor for name, tensor in tensors.items() if name not in (EMBEDDING, OUTPUT)]
    matrices = [tensor for tensor in blocks if len(tensor.shape) > 1]
    if not matrices:
        raise InputError(f"{path}: it holds no matrix of weights; choose a model")
    floats = all(tensor.tensor_type.name in FLOAT_TYPES for tensor in matrices)
    return Build(
        model=path.parent.name,
        variant=path.stem,
        weights="f16" if floats else "int8",
        parameters=sum(int(tensor.n_elements) for tensor in read),
        block_parameters=sum(int(tensor.n_elements) for tensor in blocks),
        weight_bytes=sum(int(tensor.n_bytes) for tensor in read),
        kv_bytes_per_token=_kv_bytes(path, reader),
    )


def _kv_bytes(path: Path, reader: Any) -> int:
    architecture = str(metadata(reader, "general.architecture"))
    layers = _number(path, reader, f"{architecture}.block_count")
    heads = _number(path, reader, f"{architecture}.attention.head_count")
    kv_heads = _number(path, reader, f"{architecture}.attention.head_count_kv", heads)
    width = _number(path, reader, f"{architecture}.embedding_length") // heads
    key = _number(path, reader, f"{architecture}.attention.key_length", width)
    value = _number(path, reader, f"{architecture}.attention.value_length", width)
    return layers * kv_heads * (key + value) * KEY_AND_VALUE_BYTES


def _number(path: Path, reader: Any, key: str, default: int | None = None) -> int:
    found = metadata(reader, key)
    if found is None:
        found = default
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found) or found < 1:
        raise InputError(f"{path}: {key} is {found!r}, and a whole number of at least 1 is needed; choose a model")
    return int(found)

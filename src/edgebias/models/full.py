"""The full-precision build: the published file with its blocks decoded, as F16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType, GGUFValueType, LlamaFileType
from gguf.gguf_reader import ReaderTensor

from edgebias.core.errors import InputError
from edgebias.core.files import atomic
from edgebias.models.gguf import START_TOKEN_KEY, Override, open_gguf, rewrite, values


def full_type(tensor: ReaderTensor) -> GGMLQuantizationType:
    """Return F32 for vectors (norms, biases), F16 for matrices: what llama.cpp's own F16 files hold."""
    return GGMLQuantizationType.F32 if len(tensor.shape) == 1 else GGMLQuantizationType.F16


def to_f16(weights: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float16]:
    """Round float32 weights to F16 once (to nearest, ties to even).

    Raises:
        InputError: a weight is not finite or lies outside F16's range.
    """
    with np.errstate(over="ignore"):
        rounded = weights.astype(np.float16)
    if not np.isfinite(rounded).all():
        raise InputError(f"tensor {name}: a weight is not finite in F16; choose another source file")
    return rounded


def write_full(source: Path, target: Path, start_token: str | None) -> None:
    """Write ``source`` as an F16 GGUF file: every block decoded by the format's definition, rounded once.

    Metadata and tokenizer are carried over; ``general.file_type`` becomes F16 and the start token
    is added. A source that is F16 already keeps its weights bit for bit.

    Raises:
        InputError: the source is no whole GGUF model, or a weight does not fit F16.
    """
    reader = open_gguf(source)
    overrides: dict[str, Override] = {"general.file_type": (int(LlamaFileType.MOSTLY_F16), GGUFValueType.UINT32)}
    if start_token is not None:
        overrides[START_TOKEN_KEY] = (start_token, GGUFValueType.STRING)

    def data(tensor: ReaderTensor) -> npt.NDArray[Any]:
        try:
            weights = values(tensor)
        except NotImplementedError as error:
            raise InputError(
                f"{source}: tensor {tensor.name} has type {tensor.tensor_type.name}, which cannot be decoded;"
                " choose another source file"
            ) from error
        return weights if full_type(tensor) == GGMLQuantizationType.F32 else to_f16(weights, tensor.name)

    with atomic(target) as temporary:
        rewrite(reader, temporary, full_type, data, overrides)

"""The full-precision build: the published file with its blocks decoded, as F16."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType, GGUFValueType, LlamaFileType
from gguf.gguf_reader import ReaderTensor

from edgebias.core.errors import InputError
from edgebias.core.files import atomic
from edgebias.models.gguf import START_TOKEN_KEY, Override, open_gguf, rewrite, values
from edgebias.models.prune import is_kept_whole


def full_types(tensors: Sequence[ReaderTensor]) -> dict[str, GGMLQuantizationType]:
    """Return F32 or F16 for each tensor: what llama.cpp's own F16 files hold.

    Vectors (norms, biases) are F32, and so is what llama.cpp keeps in full precision, such as the convolution kernels
    of hybrid models: it stops at another type. What it is not known to keep stays F32 where the file holds it so among
    narrower matrices.
    """
    matrices = [tensor for tensor in tensors if len(tensor.shape) > 1]
    all_wide = all(tensor.tensor_type == GGMLQuantizationType.F32 or is_kept_whole(tensor.name) for tensor in matrices)
    return {
        tensor.name: GGMLQuantizationType.F32
        if len(tensor.shape) == 1
        or is_kept_whole(tensor.name)
        or (tensor.tensor_type == GGMLQuantizationType.F32 and not all_wide)
        else GGMLQuantizationType.F16
        for tensor in tensors
    }


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
    types = full_types(reader.tensors)
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
        if types[tensor.name] == GGMLQuantizationType.F16:
            return to_f16(weights, tensor.name)
        if not np.isfinite(weights).all():
            raise InputError(f"tensor {tensor.name}: a weight is not finite; choose another source file")
        return weights

    with atomic(target) as temporary:
        rewrite(reader, temporary, lambda tensor: types[tensor.name], data, overrides)

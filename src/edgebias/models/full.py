"""The full-precision build: the published file with its blocks decoded, as F16 or as another float type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType, GGUFValueType, LlamaFileType
from gguf.gguf_reader import ReaderTensor
from gguf.quants import quantize

from edgebias.backends.local.prompt_tokens import START_TOKEN_KEY
from edgebias.core.errors import InputError
from edgebias.core.files import atomic
from edgebias.models.gguf import Override, open_gguf, rewrite, values
from edgebias.models.prune import is_kept_whole
from edgebias.models.settings import FullType

FILE_TYPES = {
    GGMLQuantizationType.F16: LlamaFileType.MOSTLY_F16,
    GGMLQuantizationType.BF16: LlamaFileType.MOSTLY_BF16,
    GGMLQuantizationType.F32: LlamaFileType.ALL_F32,
}
"""llama.cpp's name of a file whose matrices have this type."""


def full_types(
    tensors: Sequence[ReaderTensor], matrix: GGMLQuantizationType = GGMLQuantizationType.F16
) -> dict[str, GGMLQuantizationType]:
    """Return F32 or ``matrix`` for each tensor: what llama.cpp's own files of that type hold.

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
        else matrix
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
        raise InputError(
            f"tensor {name}: a weight is not finite in F16; set models.NAME.full_type: BF16, "
            "or choose another source file"
        )
    return rounded


def rounded(weights: npt.NDArray[np.float32], kind: GGMLQuantizationType, name: str) -> npt.NDArray[Any]:
    """Return float32 weights as `rewrite` takes them for a tensor of a float type: rounded once, to nearest.

    Raises:
        InputError: a weight is not finite in that type.
    """
    match kind:
        case GGMLQuantizationType.F16:
            return to_f16(weights, name)
        case GGMLQuantizationType.BF16:
            return np.asarray(quantize(check_weights(weights, name), kind)).view(np.uint16)
    return check_weights(weights, name)


def write_full(source: Path, target: Path, start_token: str | None, matrices: FullType = "F16") -> None:
    """Write ``source`` as a GGUF file of float weights: every block decoded by the format's definition, rounded once.

    Matrices have the type ``matrices``, vectors (norms, biases) F32, as in llama.cpp's own files. Metadata and
    tokenizer are carried over; ``general.file_type`` becomes that of the matrices and the start token is added. A
    source of the same type keeps its weights bit for bit.

    Raises:
        InputError: the source is no whole GGUF model, or a weight does not fit the type.
    """
    reader = open_gguf(source)
    kind = GGMLQuantizationType[matrices]
    overrides: dict[str, Override] = {"general.file_type": (int(FILE_TYPES[kind]), GGUFValueType.UINT32)}
    types = full_types(reader.tensors, kind)
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
        return rounded(weights, types[tensor.name], tensor.name)

    with atomic(target) as temporary:
        rewrite(reader, temporary, lambda tensor: types[tensor.name], data, overrides)


def check_weights(weights: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float32]:
    """Return ``weights``.

    Raises:
        InputError: one is not finite.
    """
    if not np.isfinite(weights).all():
        raise InputError(f"tensor {name}: a weight is not finite; choose another source file")
    return weights

"""Pruning, unstructured or n:m: which weights go, by magnitude or by Wanda."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType
from gguf.gguf_reader import ReaderTensor

from edgebias.core.errors import InputError
from edgebias.models.gguf import FLOAT_TYPES, float_data, open_gguf, rewrite, values

IN_A_BLOCK = re.compile(r"(?:enc\.|dec\.)?blk\.\d+\..+\.weight")
STAYS_WHOLE = re.compile(
    r".*(?:_norm|_inp|_inp_shexp|ssm_conv1d|shortconv\.conv|attn_rel_b|altup_[a-z_]+|laurel_[a-z_]+"
    r"|time_mix_first|time_mix_[wavg][0-2]|time_mix_decay_w[12]|time_mix_lerp_[a-z]+)\.weight"
)
"""What llama.cpp keeps in full precision in every quantised file (llama-quant.cpp, 0c1e57098): norms, routers,
convolution kernels, and other small tables."""

Mask = npt.NDArray[np.bool_]


def is_kept_whole(name: str) -> bool:
    """Return whether llama.cpp keeps a tensor of this name, of any shape, in full precision."""
    return not name.endswith(".weight") or STAYS_WHOLE.fullmatch(name) is not None


def is_prunable(tensor: ReaderTensor) -> bool:
    """Return whether pruning touches this tensor: a linear weight inside a block, by itself or one of each expert.

    Embeddings, output and norms stay whole, as in locuslab/wanda.
    """
    matrix = len(tensor.shape) in {2, 3} and min(int(size) for size in tensor.shape[:2]) > 1
    return matrix and IN_A_BLOCK.fullmatch(tensor.name) is not None and not is_kept_whole(tensor.name)


def lowest_per_row(scores: npt.NDArray[np.floating[Any]], sparsity: float) -> Mask:
    """Mark the ``floor(columns x sparsity)`` lowest scores of each row; on ties the first columns go."""
    count = int(scores.shape[1] * sparsity)
    if count == 0:
        return np.zeros(scores.shape, dtype=np.bool_)
    threshold = np.partition(scores, count - 1, axis=1)[:, count - 1 : count]
    below = scores < threshold
    tied = scores == threshold
    room = count - below.sum(axis=1, keepdims=True)
    mask: Mask = below | (tied & (np.cumsum(tied, axis=1, dtype=np.int32) <= room))
    return mask


def lowest_per_group(scores: npt.NDArray[np.floating[Any]], sparsity: float, group: int) -> Mask:
    """Mark the share ``sparsity`` of the lowest scores of every ``group`` neighbouring columns (n:m pruning)."""
    return lowest_per_row(scores.reshape(-1, group), sparsity).reshape(scores.shape)


def magnitude_mask(weights: npt.NDArray[np.floating[Any]], sparsity: float, group: int | None = None) -> Mask:
    """Mark the lowest ``|W|`` of the whole matrix (locuslab/wanda, lib/prune.py: one threshold per layer).

    Of experts (experts, outputs, inputs) each is a matrix. With ``group``, the lowest of every so many inputs.
    """
    if group is not None:
        return lowest_per_group(np.abs(weights), sparsity, group)
    matrices = len(weights) if weights.ndim == 3 else 1
    return lowest_per_row(np.abs(weights).reshape(matrices, -1), sparsity).reshape(weights.shape)


def wanda_mask(
    weights: npt.NDArray[np.floating[Any]],
    input_norms: npt.NDArray[np.float64],
    sparsity: float,
    group: int | None = None,
) -> Mask:
    """Mark the lowest ``|W_ij| x ||X_j||_2`` of each output row (Sun et al. 2024, arXiv 2306.11695, eq. 1).

    Args:
        weights: rows are outputs, columns inputs; or (experts, outputs, inputs).
        input_norms: L2 norm of each input over all calibration tokens; or of each expert (experts, inputs).
        sparsity: share of each row that goes.
        group: where given, the share of every so many neighbouring inputs of a row.
    """
    if weights.ndim == 3:
        return np.stack([wanda_mask(*pair, sparsity, group) for pair in zip(weights, input_norms, strict=True)])
    scores = np.abs(weights).astype(np.float64) * input_norms
    return lowest_per_row(scores, sparsity) if group is None else lowest_per_group(scores, sparsity, group)


def magnitude_masks(path: Path, sparsity: float, group: int | None = None) -> dict[str, Mask]:
    """Return `magnitude_mask` of every prunable matrix in a file."""
    return {
        tensor.name: magnitude_mask(values(tensor), sparsity, group)
        for tensor in open_gguf(path).tensors
        if is_prunable(tensor)
    }


def check_prunable(path: Path, group: int | None = None, way_out: str = "give sparsity instead of pattern") -> None:
    """Check that a file can be pruned, in groups of ``group`` inputs where given.

    Raises:
        InputError: it has no linear weights in blocks under llama.cpp's names, they are quantised, or a row is no
            multiple of the group.
    """
    reader = open_gguf(path)
    prunable = [tensor for tensor in reader.tensors if is_prunable(tensor)]
    if not prunable:
        raise InputError(f"{path}: has no matrix in a block, named like blk.0.attn_q.weight, so nothing can be pruned")
    for tensor in reader.tensors:
        if tensor.tensor_type not in FLOAT_TYPES:
            raise InputError(
                f"{path}: tensor {tensor.name} is {tensor.tensor_type.name}; prune a full-precision parent"
                " and quantise afterwards"
            )
    for tensor in prunable:
        if group is not None and int(tensor.shape[0]) % group:
            raise InputError(
                f"{path}: tensor {tensor.name} has rows of {int(tensor.shape[0])}, no multiple of {group}; {way_out}"
            )


def write_pruned(source: Path, target: Path, masks: Mapping[str, Mask]) -> None:
    """Copy a file of float weights with the masked weights set to zero; nothing else changes."""
    reader = open_gguf(source)

    def kept_type(tensor: ReaderTensor) -> GGMLQuantizationType:
        return GGMLQuantizationType.F32 if len(tensor.shape) == 1 else tensor.tensor_type

    def data(tensor: ReaderTensor) -> npt.NDArray[Any]:
        weights = values(tensor) if len(tensor.shape) == 1 else float_data(tensor)
        if tensor.name in masks:
            weights[masks[tensor.name]] = 0
        return weights

    rewrite(reader, target, kept_type, data, {})

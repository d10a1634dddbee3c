"""Unstructured pruning: which weights go, by magnitude or by Wanda."""

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
from edgebias.models.gguf import FLOAT_TYPES, open_gguf, rewrite, values

PRUNABLE = re.compile(r"blk\.\d+\.(attn_q|attn_k|attn_v|attn_output|ffn_gate|ffn_up|ffn_down)\.weight")
"""Linear weights inside the blocks; embeddings, output and norms stay whole, as in locuslab/wanda."""

Mask = npt.NDArray[np.bool_]


def is_prunable(tensor: ReaderTensor) -> bool:
    """Return whether pruning touches this tensor."""
    return PRUNABLE.fullmatch(tensor.name) is not None


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


def magnitude_mask(weights: npt.NDArray[np.floating[Any]], sparsity: float) -> Mask:
    """Mark the lowest ``|W|`` of the whole matrix (locuslab/wanda, lib/prune.py: one threshold per layer)."""
    return lowest_per_row(np.abs(weights).reshape(1, -1), sparsity).reshape(weights.shape)


def wanda_mask(weights: npt.NDArray[np.floating[Any]], input_norms: npt.NDArray[np.float64], sparsity: float) -> Mask:
    """Mark the lowest ``|W_ij| x ||X_j||_2`` of each output row (Sun et al. 2024, arXiv 2306.11695, eq. 1).

    Args:
        weights: rows are outputs, columns inputs.
        input_norms: L2 norm of each input over all calibration tokens.
        sparsity: share of each row that goes.
    """
    return lowest_per_row(np.abs(weights).astype(np.float64) * input_norms, sparsity)


def magnitude_masks(path: Path, sparsity: float) -> dict[str, Mask]:
    """Return `magnitude_mask` of every prunable matrix in a file."""
    return {
        tensor.name: magnitude_mask(values(tensor), sparsity)
        for tensor in open_gguf(path).tensors
        if is_prunable(tensor)
    }


def check_prunable(path: Path) -> None:
    """Check that a file can be pruned.

    Raises:
        InputError: it has no linear weights in blocks under llama.cpp's names, or they are quantised.
    """
    reader = open_gguf(path)
    prunable = [tensor for tensor in reader.tensors if is_prunable(tensor)]
    if not prunable:
        raise InputError(f"{path}: has no tensor named like blk.0.attn_q.weight, so nothing can be pruned")
    for tensor in reader.tensors:
        if tensor.tensor_type not in FLOAT_TYPES:
            raise InputError(
                f"{path}: tensor {tensor.name} is {tensor.tensor_type.name}; prune a full-precision parent"
                " and quantise afterwards"
            )


def write_pruned(source: Path, target: Path, masks: Mapping[str, Mask]) -> None:
    """Copy an F16 or F32 file with the masked weights set to zero; nothing else changes."""
    reader = open_gguf(source)

    def kept_type(tensor: ReaderTensor) -> GGMLQuantizationType:
        f32 = len(tensor.shape) == 1 or tensor.tensor_type == GGMLQuantizationType.F32
        return GGMLQuantizationType.F32 if f32 else GGMLQuantizationType.F16

    def data(tensor: ReaderTensor) -> npt.NDArray[Any]:
        dtype = np.float32 if kept_type(tensor) == GGMLQuantizationType.F32 else np.float16
        weights = values(tensor).astype(dtype)
        if tensor.name in masks:
            weights[masks[tensor.name]] = 0
        return weights

    rewrite(reader, target, kept_type, data, {})

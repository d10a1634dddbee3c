"""Trained weights as a build: rounded once to the types of the file, and run by llama.cpp as by transformers."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from gguf import GGMLQuantizationType
from gguf.gguf_reader import ReaderTensor
from safetensors.torch import save_file

from edgebias.backends.base import OptionRequest
from edgebias.checks.parity import ExactModel, FormatParity, differences, format_parity
from edgebias.checks.settings import ParitySettings
from edgebias.core.errors import InputError
from edgebias.models.gguf import FLOAT_TYPES, open_gguf
from edgebias.models.transformers_files import TRANSFORMERS_FILES

STORED = "model.safetensors"

DTYPES = {
    GGMLQuantizationType.F16: torch.float16,
    GGMLQuantizationType.BF16: torch.bfloat16,
    GGMLQuantizationType.F32: torch.float32,
}


def check_float(parent: Path) -> None:
    """Check that a file has float weights alone, which training can move.

    Raises:
        InputError: it has others.
    """
    for tensor in open_gguf(parent).tensors:
        if tensor.tensor_type not in FLOAT_TYPES:
            raise InputError(
                f"{parent}: tensor {tensor.name} has type {tensor.tensor_type.name}; train a build of float weights, "
                "and quantise the trained one"
            )


def round_weights(model: Any, parent: Path, names: Mapping[str, str]) -> None:
    """Round the weights of ``model`` in place to the types that they will have on disk: vectors F32, as in the parent.

    Args:
        model: of transformers, in 32 bits.
        parent: GGUF whose types count.
        names: of the tensors in the model, by those in the file.

    Raises:
        InputError: a weight is not finite in its type.
    """
    state = model.state_dict()
    with torch.no_grad():
        for tensor in open_gguf(parent).tensors:
            if tensor.name in names:
                weights = state[names[tensor.name]]
                weights.copy_(weights.to(_dtype(tensor)))
                if not bool(weights.isfinite().all()):
                    raise InputError(
                        f"train: a trained weight of {tensor.name} is not finite in {tensor.tensor_type.name}; lower "
                        "train.learning_rate, or set models.NAME.full_type: BF16"
                    )


def _dtype(tensor: ReaderTensor) -> torch.dtype:
    return torch.float32 if len(tensor.shape) == 1 else DTYPES[tensor.tensor_type]


def write_folder(model: Any, folder: Path, target: Path, names: Mapping[str, str]) -> None:
    """Write ``model`` to ``target`` in the layout of ``folder``, the Hugging Face folder that it was trained from."""
    target.mkdir(parents=True, exist_ok=True)
    for name in TRANSFORMERS_FILES:
        if name != STORED:
            shutil.copyfile(folder / name, target / name)
    state = model.state_dict()
    save_file({name: state[name].contiguous() for name in names.values()}, target / STORED, metadata={"format": "pt"})


def check_parity(requests: Sequence[OptionRequest], model: ExactModel) -> FormatParity:
    """Score ``requests`` with the exported file in llama.cpp and with the trained weights in transformers.

    Both in exact arithmetic (`edgebias.checks.parity`).

    Raises:
        InputError: an answer's log-probability differs by more than the parity gate allows.
    """
    found = format_parity("held_out", "answer", differences(requests, model))
    allowed = ParitySettings().max_abs_difference
    if not found.max_abs_difference <= allowed:
        raise InputError(
            f"train: llama.cpp and transformers differ by {found.max_abs_difference:g} nats on the trained weights, "
            f"where {allowed:g} are allowed; this architecture cannot be exported: train another model"
        )
    return found

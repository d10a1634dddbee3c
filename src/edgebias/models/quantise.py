"""Quantisation by llama.cpp itself."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from edgebias.core.errors import InputError
from edgebias.models.gguf import DEFAULT_ALIGNMENT, HeaderReader, read
from edgebias.models.llama_model import one_line_on_abort, quiet

_PREFIX = "LLAMA_FTYPE_MOSTLY_"
_FLOATS = ctypes.POINTER(ctypes.c_float)


def known_types() -> list[str]:
    """Return the names of the file types that this llama.cpp can write, e.g. ``Q8_0``, ``Q4_K_M``."""
    return sorted(name.removeprefix(_PREFIX) for name in dir(llama_cpp) if name.startswith(_PREFIX))


def check_type(name: str) -> None:
    """Check that llama.cpp knows a file type.

    Raises:
        InputError: it does not.
    """
    if name not in known_types():
        raise InputError(f"quantise: {name!r} is no llama.cpp file type; choose one of {', '.join(known_types())}")


def write_quantised(
    source: Path, target: Path, file_type: str, importance: Mapping[str, npt.NDArray[np.float32]] | None = None
) -> None:
    """Quantise ``source`` to ``target`` with ``llama_model_quantize``, on one thread: always the same bytes.

    Args:
        source: the file to quantise.
        target: where to write.
        file_type: of llama.cpp.
        importance: weight of the errors at each input of a matrix, by the tensor's name.

    Raises:
        InputError: the type is unknown, needs an importance matrix, or llama.cpp refuses the source.
    """
    check_type(file_type)
    _check_alignment(source, "make it from the build full")
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, _PREFIX + file_type)
    if importance:
        entries = [
            llama_cpp.llama_model_imatrix_data(name.encode(), values.ctypes.data_as(_FLOATS), values.size)
            for name, values in importance.items()
        ]
        end = llama_cpp.llama_model_imatrix_data()  # without a name
        parameters.imatrix = (llama_cpp.llama_model_imatrix_data * (len(entries) + 1))(*entries, end)
    reason = _write(source, target, parameters)
    if reason is not None:
        raise InputError(f"{source}: llama.cpp cannot quantise it to {file_type} ({reason}); {_way_out(reason)}")


def _way_out(reason: str) -> str:
    if "imatrix" in reason or "importance" in reason:
        return "types below 3 bits need an importance matrix, which is not supported: choose another type"
    if "requantizing" in reason:
        return "quantise a build that is not quantised, such as full"
    return "choose another type, or another source file"


def _check_alignment(source: Path, way_out: str) -> None:
    """Check that llama.cpp writes what it reads: it puts tensors at `DEFAULT_ALIGNMENT` whatever the file's key says.

    Raises:
        InputError: the file has another alignment.
    """
    alignment = int(read(source, HeaderReader, str(source)).alignment)
    if alignment != DEFAULT_ALIGNMENT:
        raise InputError(
            f"{source}: general.alignment is {alignment}, with which llama.cpp would write a damaged file; {way_out}"
        )


def write_joined(first_shard: Path, target: Path) -> None:
    """Write the model whose first shard is ``first_shard``, and whose others lie beside it, as one file.

    Raises:
        InputError: llama.cpp refuses them.
    """
    _check_alignment(first_shard, "join them with `llama-gguf-split --merge` and name the file that it writes")
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.only_copy = True
    reason = _write(first_shard, target, parameters)
    if reason is not None:
        raise InputError(
            f"{first_shard.name}: llama.cpp cannot join the shards ({reason}); join them with `llama-gguf-split"
            " --merge` and name the file that it writes"
        )


def _write(source: Path, target: Path, parameters: Any) -> str | None:
    """Run ``llama_model_quantize`` on one thread; return why it failed, or None."""
    parameters.nthread = 1
    with quiet() as lines, one_line_on_abort(source, target):
        status = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(parameters))
    return lines.reason() if status != 0 else None

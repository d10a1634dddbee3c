"""Quantisation by llama.cpp itself."""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp

from edgebias.core.errors import InputError
from edgebias.models.llama_model import quiet

_PREFIX = "LLAMA_FTYPE_MOSTLY_"


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


def write_quantised(source: Path, target: Path, file_type: str) -> None:
    """Quantise ``source`` to ``target`` with ``llama_model_quantize``, on one thread: always the same bytes.

    Raises:
        InputError: the type is unknown, needs an importance matrix, or llama.cpp refuses the source.
    """
    check_type(file_type)
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.nthread = 1
    parameters.ftype = getattr(llama_cpp, _PREFIX + file_type)
    with quiet() as lines:
        status = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(parameters))
    if status != 0:
        raise InputError(
            f"{source}: llama.cpp cannot quantise it to {file_type} ({lines.reason()});"
            " types below 3 bits need an importance matrix, which is not supported: choose another type"
        )

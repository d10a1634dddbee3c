"""llama.cpp's call that steers a live context, for whoever holds one: the backend and the server."""

from __future__ import annotations

import ctypes
from typing import Any

import llama_cpp.llama_cpp as llama
import numpy as np
import numpy.typing as npt


def apply_control_vector(context: Any, data: npt.NDArray[np.float32] | None, n_layer: int, n_embd: int) -> bool:
    """Add ``data[il]`` to the output of block ``il`` of ``context`` for every token from now on; None removes it.

    The key-value cache keeps what was computed under the old vector: the caller has to forget it.

    Args:
        context: a ``llama_context_p``.
        data: float32 of shape (n_layer, n_embd); row 0 must be zero, since llama.cpp never applies it.
        n_layer: number of blocks of the context's model.
        n_embd: width of its residual stream.

    Returns:
        Whether llama.cpp took it.

    Raises:
        ValueError: wrong shape or type, a value that is not finite, or a row 0 that is not zero.
    """
    if data is None:
        return bool(llama.llama_set_adapter_cvec(context, None, 0, n_embd, 1, n_layer - 1) == 0)
    if data.shape != (n_layer, n_embd) or data.dtype != np.float32:
        raise ValueError(f"a control vector is float32 of shape {(n_layer, n_embd)}, not {data.dtype} {data.shape}")
    if not np.isfinite(data).all() or data[0].any():
        raise ValueError("a control vector is finite and its row 0 (never applied by llama.cpp) is zero")
    rows = np.ascontiguousarray(data[1:])
    pointer = rows.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    return bool(llama.llama_set_adapter_cvec(context, pointer, rows.size, n_embd, 1, n_layer - 1) == 0)

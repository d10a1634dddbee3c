"""The residual stream of llama.cpp, block by block, which its interface does not hand out."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class HiddenCapture:
    """The evaluation callback: keeps the last row of every ``l_out-<block>`` of a decode, or adds its rows up.

    Args:
        library: the loaded ggml.
        n_layer: number of blocks.
        n_embd: width of the residual stream.
    """

    def __init__(self, library: ctypes.CDLL, n_layer: int, n_embd: int) -> None:
        # Not at the top: before llama.cpp is loaded, the backend has to say how its threads wait.
        from llama_cpp.llama_cpp import ggml_backend_sched_eval_callback

        library.ggml_get_name.restype = ctypes.c_char_p
        library.ggml_get_name.argtypes = [ctypes.c_void_p]
        library.ggml_nelements.restype = ctypes.c_int64
        library.ggml_nelements.argtypes = [ctypes.c_void_p]
        library.ggml_backend_tensor_get.restype = None
        library.ggml_backend_tensor_get.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_size_t] * 2
        self._library = library
        self._names = {b"l_out-%d" % block: block for block in range(n_layer)}
        self._last = n_layer - 1
        self._n_embd = n_embd
        self.rows_after = self.outputs_after = 0
        """Rows, and rows with logits, behind the one that is wanted."""
        self._target: FloatArray | None = None
        self._rows_to_add: npt.NDArray[np.int64] | None = None
        self.callback: Callable[..., Any] = ggml_backend_sched_eval_callback(self._visit)

    def copying_to(self, target: FloatArray) -> Self:
        """Capture block outputs into ``target`` (n_layer, n_embd) within a ``with`` block."""
        self._target, self._rows_to_add = target, None
        return self

    def adding_to(self, target: FloatArray, rows: int) -> Self:
        """Add the first ``rows`` rows of a decode to ``target`` (n_layer, n_embd) within a ``with`` block.

        Of the last block llama.cpp computes no more than the rows that get logits, so nothing is added there.
        """
        self._target, self._rows_to_add = target, np.full(len(target), rows)
        self._rows_to_add[self._last] = 0
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._target = None

    def _visit(self, tensor: int, ask: bool, _: Any) -> bool:
        if self._target is None:
            return not ask
        block = self._names.get(self._library.ggml_get_name(tensor))
        if ask:
            return block is not None
        if block is None:
            return True
        if self._rows_to_add is not None:
            self._add_rows(tensor, block, self._target[block], self._rows_to_add)
        else:
            row_bytes = 4 * self._n_embd
            after = self.outputs_after if block == self._last else self.rows_after
            start = 4 * int(self._library.ggml_nelements(tensor)) - row_bytes * (after + 1)
            if start >= 0:
                row = self._target[block]
                self._library.ggml_backend_tensor_get(tensor, row.ctypes.data, start, row_bytes)
        return True

    def _add_rows(self, tensor: int, block: int, target: FloatArray, left: npt.NDArray[np.int64]) -> None:
        """Add what is wanted of ``tensor``: a long text comes in several physical batches, filled up at its end."""
        rows = min(int(self._library.ggml_nelements(tensor)) // self._n_embd, int(left[block]))
        if rows:
            values = np.empty((rows, self._n_embd), np.float32)
            self._library.ggml_backend_tensor_get(tensor, values.ctypes.data, 0, values.nbytes)
            target += values.sum(axis=0, dtype=np.float64).astype(np.float32)
            left[block] -= rows

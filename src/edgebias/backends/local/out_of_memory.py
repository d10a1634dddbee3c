"""A process that runs out of memory inside llama.cpp ends with one line that says so."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_last_words: list[object] = []
"""Keeps the callbacks below alive, and a reserve of memory that lets them run when there is none left."""


def exit_in_one_line_when_out_of_memory(library: ctypes.CDLL, weights: Path, memory_mb: int) -> None:
    """Turn an uncaught C++ exception or an abort inside llama.cpp into one line and exit status 2.

    Under a memory limit that is std::bad_alloc in a place from which llama.cpp cannot return an error. Without this the
    process would leave a native stack trace and SIGABRT. Python gets no chance to clean up: a ``.part`` file that is
    being written at that moment stays (stages write after the model has answered, so there is none as a rule).

    Args:
        library: the loaded ggml.
        weights: what runs, for the line.
        memory_mb: the limit, for the line.
    """
    line = (
        f"error: {weights}: out of memory; the memory limit is {memory_mb} MB: raise the environment's memory_mb or "
        "lower context\n"
    ).encode()

    def leave(*_: object) -> None:
        del _last_words[0]  # the reserve, not the callback that runs
        os.write(2, line)
        os._exit(2)

    terminate = ctypes.CFUNCTYPE(None)(leave)
    abort = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(leave)
    _last_words[:] = [bytearray(1 << 20), terminate, abort]
    set_terminate = ctypes.CDLL("libstdc++.so.6")._ZSt13set_terminatePFvvE
    set_terminate.restype = ctypes.c_void_p
    set_terminate(terminate)
    set_abort = library.ggml_set_abort_callback
    set_abort.restype = ctypes.c_void_p
    set_abort(abort)

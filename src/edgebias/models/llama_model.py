"""What the builds need of llama.cpp beyond inference: a loaded model, token ids, its own error lines."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llama_cpp
from llama_cpp._logger import llama_log_callback as default_log_callback

from edgebias.backends.local.llama_engine import check_attention_alone
from edgebias.backends.local.llama_vocabulary import LlamaVocabulary
from edgebias.core.errors import InputError

_LOG_LEVEL_ERROR = 4


@dataclass
class LogLines:
    """Error lines that llama.cpp printed."""

    errors: list[str] = field(default_factory=list)

    def reason(self) -> str:
        """Return the first error line, or a stand-in."""
        return self.errors[0] if self.errors else "llama.cpp gave no reason"


@contextmanager
def quiet() -> Iterator[LogLines]:
    """Keep llama.cpp's log off the terminal and collect its error lines."""
    lines = LogLines()

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]  # a ctypes function type
    def collect(level: int, text: bytes, _user_data: ctypes.c_void_p) -> None:
        line = text.decode("utf-8", errors="replace").strip()
        if level == _LOG_LEVEL_ERROR and line:
            lines.errors.append(line)

    llama_cpp.llama_log_set(collect, ctypes.c_void_p(0))
    try:
        yield lines
    finally:
        llama_cpp.llama_log_set(default_log_callback, ctypes.c_void_p(0))


@contextmanager
def one_line_on_abort(name: Path, *being_written: Path) -> Iterator[None]:
    """Let llama.cpp end this process with one line and exit status 2 where it would abort.

    It aborts where a model is not as its code takes for granted: nothing can be returned from there. What was being
    written is deleted.
    """
    library = ctypes.CDLL(llama_cpp.llama_cpp._lib._name)  # a lookup in libllama also searches what it was loaded with
    set_abort = library.ggml_set_abort_callback
    set_abort.restype = ctypes.c_void_p
    set_abort.argtypes = [ctypes.c_void_p]

    def leave(reason: bytes) -> None:
        for path in being_written:
            path.unlink(missing_ok=True)
        words = re.sub(
            r"\S*/", "", " ".join(reason.decode(errors="replace").split())
        )  # where it was built says nothing
        line = f"error: {name}: llama.cpp stopped ({words}); it cannot run this file: choose another conversion\n"
        os.write(2, line.encode())
        os._exit(2)

    callback = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(leave)
    before = set_abort(ctypes.cast(callback, ctypes.c_void_p))
    try:
        yield
    finally:
        set_abort(before)


def check_runs(path: Path) -> None:
    """Check, from its header and vocabulary alone, that llama.cpp runs a model as this package needs it.

    Raises:
        InputError: llama.cpp does not know it, or it is no model that predicts each token by attention to earlier ones.
    """
    with one_line_on_abort(path), loaded_model(path, vocab_only=True) as model:
        check_attention_alone(model, path)


def start_text(path: Path) -> str | None:
    """Return the text that a sentence without context follows in a model, None for none (`LlamaVocabulary.start`).

    Raises:
        InputError: llama.cpp refuses the file, or what it names is not one of its tokens.
    """
    with loaded_model(path, vocab_only=True) as model:
        return LlamaVocabulary(model, path).start_text()


@contextmanager
def loaded_model(path: Path, *, vocab_only: bool) -> Iterator[Any]:
    """Load a model in plain memory: no memory map, no repacked weights, so that they can be read and changed.

    Raises:
        InputError: llama.cpp refuses the file.
    """
    parameters = llama_cpp.llama_model_default_params()
    parameters.vocab_only = vocab_only
    parameters.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE
    parameters.use_extra_bufts = False
    parameters.n_gpu_layers = 0
    with quiet() as lines:
        llama_cpp.llama_backend_init()
        model = llama_cpp.llama_model_load_from_file(os.fsencode(path), parameters)
        if not model:
            raise InputError(f"{path}: llama.cpp cannot load it ({lines.reason()}); fetch or build it again")
        try:
            yield model
        finally:
            llama_cpp.llama_model_free(model)

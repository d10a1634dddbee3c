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


def token_ids(model: Any, text: str, *, parse_special: bool = False) -> list[int]:
    """Return the token ids of ``text`` as llama.cpp has them, with no start or end token added."""
    vocab = llama_cpp.llama_model_get_vocab(model)
    encoded = text.encode("utf-8")
    room = len(encoded) + 8
    buffer = (llama_cpp.llama_token * room)()
    count = llama_cpp.llama_tokenize(vocab, encoded, len(encoded), buffer, room, False, parse_special)
    if count < 0:
        raise InputError(f"the model's tokenizer cannot split {text[:40]!r}; choose another model")
    return list(buffer[:count])


def start_token_id(model: Any, start_token: str | None) -> int | None:
    """Return the id of the token a text begins with.

    ``start_token`` where given, else the model's own BOS, else ``None``.

    Raises:
        InputError: ``start_token`` is not one token of the model.
    """
    if start_token is None:
        bos = int(llama_cpp.llama_vocab_bos(llama_cpp.llama_model_get_vocab(model)))
        return bos if bos >= 0 else None
    ids = token_ids(model, start_token, parse_special=True)
    if len(ids) != 1:
        raise InputError(f"start_token {start_token!r} is {len(ids)} tokens of this model; name one token of its own")
    return ids[0]

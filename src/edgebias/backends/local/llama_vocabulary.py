"""llama.cpp's tokeniser, and what the prompts of a GGUF model look like."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as llama

from edgebias.backends.local.prompt_tokens import LINE_BREAK, START_TOKEN_KEY, PromptForm, named_start

ADDS_BEGIN_KEY = "tokenizer.ggml.add_bos_token"
BEGIN_KEY = "tokenizer.ggml.bos_token_id"


@dataclass(frozen=True)
class LlamaVocabulary:
    """The vocabulary of a model that llama.cpp has loaded, with its weights or without.

    Attributes:
        model: llama.cpp's pointer.
        weights: its file, for messages.
    """

    model: Any
    weights: Path

    @property
    def pointer(self) -> Any:
        """llama.cpp's pointer to the vocabulary, which lives as long as the model."""
        return llama.llama_model_get_vocab(self.model)

    def tokenise(self, text: str, *, special: bool) -> list[int]:
        """Return the tokens of ``text`` without any added begin token; ``special`` lets it name control tokens."""
        data = text.encode("utf-8")
        size = len(data) + 8
        while True:
            buffer = (llama.llama_token * size)()
            count = llama.llama_tokenize(self.pointer, data, len(data), buffer, size, False, special)
            if count >= 0:
                return list(buffer[:count])
            size = -count

    def piece(self, token: int, *, special: bool) -> bytes:
        """Return the bytes of ``token``, which may be no whole character; those of control tokens if ``special``."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = llama.llama_token_to_piece(self.pointer, token, buffer, size, 0, special)
            if count >= 0:
                return buffer.raw[:count]
            size = -count

    def prompt_form(self, start_token: str | None) -> PromptForm:
        """Return what prompts look like; ``start_token`` as `LlamaBackend` has it.

        Raises:
            InputError: ``start_token`` is not one token of the model.
        """
        begin, end = self._begin(), llama.llama_vocab_eos(self.pointer)
        template = llama.llama_model_chat_template(self.model, None)
        return PromptForm(
            tuple(self.start(start_token)),
            template.decode("utf-8", "replace") if template else None,
            bos_token=self._text(begin),
            eos_token=self._text(end),
        )

    def start(self, start_token: str | None = None) -> list[int]:
        """Return the token that a sentence without context follows, as a list; empty for none.

        The one given, else the one that this project wrote into the file. Else it is a line break in a file that says
        that no begin token is added, if that is one token of the model; else its begin token.

        Raises:
            InputError: what is given, or written in the file, is not one token of the model.
        """
        named = start_token if start_token is not None else self._entry(START_TOKEN_KEY)
        if named is not None:
            return named_start(named, self.tokenise, self.weights)
        line_break = self.tokenise(LINE_BREAK, special=True)
        if self._entry(ADDS_BEGIN_KEY) == "false" and len(line_break) == 1:
            return line_break
        begin = self._begin()
        return [begin] if begin >= 0 else []

    def start_text(self) -> str | None:
        """Return the text of `start`, None for none.

        Raises:
            InputError: what is written in the file is not one token of the model.
        """
        start = self.start()
        return self.piece(start[0], special=True).decode("utf-8", "replace") if start else None

    def _entry(self, key: str) -> str | None:
        """Return an entry of the file's metadata as text, None where the file lacks it."""
        size = llama.llama_model_meta_val_str(self.model, key.encode(), None, 0)
        if size < 0:
            return None
        buffer = ctypes.create_string_buffer(size + 1)
        llama.llama_model_meta_val_str(self.model, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    def _begin(self) -> int:
        """Return the begin token, -1 for none: of a byte-pair vocabulary without one llama.cpp says that it is 11."""
        named = self._entry(BEGIN_KEY) is not None
        byte_pairs = llama.llama_vocab_type(self.pointer) == llama.LLAMA_VOCAB_TYPE_BPE
        return int(llama.llama_vocab_bos(self.pointer)) if named or not byte_pairs else -1

    def _text(self, token: int) -> str:
        return llama.llama_vocab_get_text(self.pointer, token).decode("utf-8", "replace") if token >= 0 else ""

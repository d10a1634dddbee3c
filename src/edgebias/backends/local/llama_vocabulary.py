"""llama.cpp's tokeniser, and what the prompts of a GGUF model look like."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as llama

from edgebias.backends.local.prompt_tokens import PromptForm, check_start


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
        start = [begin] if begin >= 0 else []
        if start_token is not None:
            start = self.tokenise(start_token, special=True)
            check_start(start_token, start, self.weights)
        return PromptForm(
            tuple(start),
            template.decode("utf-8", "replace") if template else None,
            bos_token=self._text(begin),
            eos_token=self._text(end),
        )

    def _begin(self) -> int:
        """Return the begin token, -1 for none: of a byte-pair vocabulary without one llama.cpp says that it is 11."""
        named = llama.llama_model_meta_val_str(self.model, b"tokenizer.ggml.bos_token_id", None, 0) >= 0
        byte_pairs = llama.llama_vocab_type(self.pointer) == llama.LLAMA_VOCAB_TYPE_BPE
        return int(llama.llama_vocab_bos(self.pointer)) if named or not byte_pairs else -1

    def _text(self, token: int) -> str:
        return llama.llama_vocab_get_text(self.pointer, token).decode("utf-8", "replace") if token >= 0 else ""

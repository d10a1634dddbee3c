"""The model that the server serves, seen from inside: its gain, and scores of our own texts in its live context.

The server's model object belongs to llama-cpp-python and so do its answers. What is done here beside them (another
gain, a scored text) leaves its key-value cache empty, so that an answer never goes on from tokens that were read under
another gain. Whoever calls has to hold the server's lock. Behind a gate the vector is added to the answers to some
requests only, which the gate tells by their words.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from edgebias.backends.base import OptionRequest, OptionScores
from edgebias.backends.local.control_vector import apply_control_vector
from edgebias.backends.local.large_blocks import return_freed_blocks_to_system
from edgebias.backends.local.llama_engine import BF16, UBATCH
from edgebias.backends.local.prompt_tokens import PromptForm, check_fits_context, check_start, option_tokens
from edgebias.backends.local.sampling import log_probability
from edgebias.core.errors import InputError
from edgebias.mitigate.steering.gate import TokenGate, words_of
from edgebias.models.gguf import START_TOKEN_KEY, metadata, open_header


@dataclass(frozen=True)
class ModelFile:
    """What the header of a GGUF says that is needed before it is loaded."""

    path: Path
    n_layer: int
    n_embd: int
    n_ctx_train: int
    start_token: str | None


@dataclass
class Counts:
    """Tokens of the answers so far."""

    read: int = 0
    """Tokens of prompts so far; those that were in the cache are counted, too."""
    written: int = 0
    opened: int = 0
    """Requests for which the gate opened; without a gate none are counted."""
    shut: int = 0
    """Requests for which it stayed shut."""


def read_header(weights: Path) -> ModelFile:
    """Read the shape of the model in ``weights``, and the token that a text without a prompt follows.

    Raises:
        InputError: the file is absent, cut short, or holds no model that llama.cpp runs.
    """
    reader = open_header(weights)
    architecture = metadata(reader, "general.architecture")
    keys = ("block_count", "embedding_length", "context_length")
    found = [metadata(reader, f"{architecture}.{key}") for key in keys]
    if None in found:
        missing = f"{architecture}.{keys[found.index(None)]}"
        raise InputError(f"{weights}: no language model: it lacks {missing!r}; give a GGUF model")
    start = metadata(reader, START_TOKEN_KEY)
    n_layer, n_embd, n_ctx_train = (int(value) for value in found)
    return ModelFile(weights, n_layer, n_embd, n_ctx_train, None if start is None else str(start))


def server_settings(weights: Path, *, alias: str, threads: int, context: int, logprobs: bool) -> dict[str, Any]:
    """Return the model settings under which the server's numbers are those of `LlamaBackend`.

    Keys in F16, values in BF16 and flash attention, for the reasons given there. ``logprobs`` keeps the logits of every
    position (4 bytes x vocabulary x context), without which the library refuses requests for log-probabilities.
    """
    return {
        "model": str(weights.resolve()),
        "model_alias": alias,
        "n_ctx": context,
        "n_batch": UBATCH,
        "n_ubatch": UBATCH,
        "n_threads": threads,
        "n_threads_batch": threads,
        "n_gpu_layers": 0,
        "flash_attn": True,
        "type_k": llama_cpp.GGML_TYPE_F16,
        "type_v": BF16,
        "logits_all": logprobs,
        "cache": False,
        "verbose": False,
    }


class LiveModel:
    """A model that is being served, and the control vector at a gain of 1.

    Args:
        model: llama-cpp-python's object; its answers are counted from now on.
        file: its header.
        vector: float32 of shape (n_layer, n_embd), row 0 zero; None for a model that cannot be steered.
        gate: opens for the requests that are steered; None to steer all.
    """

    def __init__(
        self, model: Any, file: ModelFile, vector: npt.NDArray[np.float32] | None, gate: TokenGate | None = None
    ) -> None:
        self._model, self._file, self._vector, self._gate = model, file, vector, gate
        if vector is not None:
            return_freed_blocks_to_system()
        self.gain = self._added = 0.0
        self.counts = Counts()
        model.generate = _counted(model.generate, self.counts)
        if gate is not None:
            self._stand_before(model)
        self._form = self._prompt_form()

    def apply(self, gain: float) -> None:
        """Add ``gain`` times the vector from now on and forget what was read; 0 takes it away altogether.

        Raises:
            InputError: there is no vector, or llama.cpp refuses it.
        """
        if gain != 0.0 and self._vector is None:
            raise InputError("--gain: there is no vector to apply it to; give --control-vector")
        self._add(gain)
        self.gain = gain

    def _add(self, gain: float) -> None:
        data = None if gain == 0.0 or self._vector is None else (gain * self._vector).astype(np.float32)
        if not apply_control_vector(self._model.ctx, data, self._file.n_layer, self._file.n_embd):
            raise InputError(f"{self._file.path}: llama.cpp refuses the control vector; fit one for this model")
        self._added = gain
        self.forget()

    def _stand_before(self, model: Any) -> None:
        """Let the gate read what is asked on either route of the library, before it is answered."""
        from llama_cpp.llama_chat_format import get_chat_completion_handler

        complete = model.create_completion
        # The route for streams calls the class's own method, so that only the handler sees every conversation.
        answer = model.chat_handler or model._chat_handlers.get(model.chat_format)
        answer = answer or get_chat_completion_handler(model.chat_format)

        def create_completion(prompt: str | list[int], *arguments: Any, **options: Any) -> Any:
            if isinstance(prompt, str):  # of a conversation the handler brings tokens, about which it was decided
                self._count(self._steer_for(prompt))
            return complete(prompt, *arguments, **options)

        def chat_handler(*, messages: Sequence[Mapping[str, Any]], **options: Any) -> Any:
            self._count(self._steer_for(words_of_messages(messages)))
            return answer(messages=messages, **options)

        model.create_completion, model.chat_handler = create_completion, chat_handler

    def _steer_for(self, words: str) -> bool:
        """Add the vector, or take it away, as the gate says of a request of these words; whether it opens."""
        opens = self._gate is None or self._gate.opens(self._tokenise(words, special=False))
        gain = self.gain if opens else 0.0
        if gain != self._added:
            self._add(gain)
        return opens

    def _count(self, opened: bool) -> None:
        self.counts.opened, self.counts.shut = self.counts.opened + opened, self.counts.shut + (not opened)

    def forget(self) -> None:
        """Empty the key-value cache, also in the eyes of llama-cpp-python, which else goes on from it."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._model.ctx), False)
        self._model.reset()

    def needs(self, request: OptionRequest) -> int:
        """Return the tokens that the context has to hold to score the options of ``request``."""
        longest = max(len(self._tokenise(option, special=False)) for option in request.options)
        return len(self._form.tokens(0, request.prompt, self._tokenise)) + longest - 1

    def score(self, requests: Sequence[OptionRequest]) -> Iterator[OptionScores]:
        """Yield summed log-probabilities (nats) and token counts of each request's options, each option read alone.

        The gate stands before what we ask ourselves, too: a loop judges and guards what the server answers. Only
        requests of clients are counted.

        Raises:
            ContextError: a request does not fit in the context.
            InputError: an option is empty, there is neither a prompt nor a start token, or messages are asked of a
                model that has no chat template.
        """
        for index, request in enumerate(requests):
            self._steer_for(words_of(request.prompt, request.options))
            before = self._form.tokens(index, request.prompt, self._tokenise)
            sums, counts = [], []
            for option in option_tokens(index, request.options, partial(self._tokenise, special=False)):
                tokens = before + option
                check_fits_context(index, len(tokens) - 1, int(self._model.n_ctx()))
                sums.append(sum(self._log_probabilities(tokens, len(before))))
                counts.append(len(option))
            yield OptionScores(tuple(sums), tuple(counts))

    def _token_text(self, token: int) -> str:
        return self._model.detokenize([token], special=True).decode("utf-8") if token >= 0 else ""

    def _log_probabilities(self, tokens: list[int], first: int) -> Iterator[float]:
        """Yield the log-probability of each token from place ``first`` on, given those before it."""
        self.forget()
        read = np.array(tokens[:-1], np.int32)
        for start in range(0, len(read), UBATCH):
            part = read[start : start + UBATCH]
            self._decode(part, start, wanted=first - 1)
            for row in range(max(first - 1 - start, 0), len(part)):
                pointer = llama_cpp.llama_get_logits_ith(self._model.ctx, row)
                logits = np.ctypeslib.as_array(pointer, (self._model.n_vocab(),))
                yield log_probability(logits, [tokens[start + row + 1]])[0]
        self.forget()

    def _decode(self, tokens: npt.NDArray[np.int32], position: int, wanted: int) -> None:
        """Evaluate ``tokens``, the first of which stands at ``position``, with logits from place ``wanted`` on."""
        places = np.arange(position, position + len(tokens), dtype=np.int32)
        logits = (places >= wanted).astype(np.int8)
        ones, sequence = np.ones(len(tokens), np.int32), np.zeros(1, np.int32)
        addresses = np.full(len(tokens), sequence.ctypes.data, np.uint64)
        batch = llama_cpp.llama_batch(
            n_tokens=len(tokens),
            token=tokens.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token)),
            embd=None,
            pos=places.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_pos)),
            n_seq_id=ones.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=addresses.ctypes.data_as(ctypes.POINTER(ctypes.POINTER(llama_cpp.llama_seq_id))),
            logits=logits.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )
        code = llama_cpp.llama_decode(self._model.ctx, batch)
        if code != 0:
            self.forget()
            raise RuntimeError(f"llama.cpp cannot evaluate {len(tokens)} tokens, code {code}")

    def _tokenise(self, text: str, *, special: bool) -> list[int]:
        return list(self._model.tokenize(text.encode("utf-8"), add_bos=False, special=special)) if text else []

    def _prompt_form(self) -> PromptForm:
        begin, end = int(self._model.token_bos()), int(self._model.token_eos())
        start = [begin] if begin >= 0 else []
        if self._file.start_token is not None:
            start = self._tokenise(self._file.start_token, special=True)
            check_start(self._file.start_token, start, self._file.path)
        return PromptForm(
            tuple(start),
            self._model.metadata.get("tokenizer.chat_template"),
            bos_token=self._token_text(begin),
            eos_token=self._token_text(end),
        )


def words_of_messages(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of OpenAI's ``messages``, whose content may be absent or a list of parts."""
    contents = [message.get("content") or "" for message in messages]
    texts = [
        content if isinstance(content, str) else " ".join(str(part.get("text", "")) for part in content)
        for content in contents
    ]
    return " ".join(texts)


def _counted(generate: Callable[..., Iterator[int]], counts: Counts) -> Callable[..., Iterator[int]]:
    """``generate`` that adds to ``counts``: the one place that streamed and whole answers of either route pass."""

    def counted(tokens: Sequence[int], *arguments: Any, **options: Any) -> Iterator[int]:
        counts.read += len(tokens)
        for token in generate(tokens, *arguments, **options):
            counts.written += 1
            yield token

    return counted

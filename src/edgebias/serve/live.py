"""The model that the server serves: its gain, what it writes, and scores of our own texts in its live context.

Tokens are read and drawn by llama-cpp-python's model. Another gain or a scored text leaves its key-value cache empty,
so that an answer never goes on from tokens that were read under another gain. Whoever calls has to hold the server's
lock, but for `LiveModel.tokens_of`. Behind a gate the vector is added to the answers to some requests only, which the
gate tells by their words.
"""

from __future__ import annotations

import ctypes
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from edgebias.backends.base import OptionRequest, OptionScores, Prompt
from edgebias.backends.local.control_vector import apply_control_vector
from edgebias.backends.local.large_blocks import return_freed_blocks_to_system
from edgebias.backends.local.llama_engine import BF16, UBATCH
from edgebias.backends.local.prompt_tokens import check_fits_context, option_tokens
from edgebias.backends.local.sampling import log_probability
from edgebias.backends.local.served_template import library_vocabulary
from edgebias.core.errors import InputError
from edgebias.mitigate.steering.gate import TokenGate, words_of
from edgebias.models.gguf import metadata, open_header
from edgebias.serve.live_grammar import LiveGrammar
from edgebias.serve.request import Sampling

FloatArray = npt.NDArray[np.float32]

SEEDS = 2**32 - 1
"""Seeds that llama.cpp takes; the next one means a draw of its own."""


@dataclass(frozen=True)
class ModelFile:
    """What the header of a GGUF says that is needed before it is loaded."""

    path: Path
    n_layer: int
    n_embd: int
    n_ctx_train: int


@dataclass
class Counts:
    """Tokens of the answers so far."""

    read: int = 0
    """Of prompts; those that were in the cache are counted, too."""
    written: int = 0
    opened: int = 0
    """Requests for which the gate opened; without a gate none are counted."""
    shut: int = 0
    """Requests for which it stayed shut."""


def read_header(weights: Path) -> ModelFile:
    """Read the shape of the model in ``weights``.

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
    n_layer, n_embd, n_ctx_train = (int(value) for value in found)
    return ModelFile(weights, n_layer, n_embd, n_ctx_train)


@dataclass(frozen=True)
class Written:
    """A token of an answer or of an echoed prompt.

    Attributes:
        piece: its bytes, which may be no whole character.
        logprob: natural logarithm of its probability before any sampling; None where nobody asked, or nothing precedes.
        top: the likeliest tokens in its place, each with its bytes and its log-probability.
    """

    piece: bytes
    logprob: float | None = None
    top: tuple[tuple[bytes, float], ...] = ()


def load_model(weights: Path, *, threads: int, context: int) -> Any:
    """Return llama-cpp-python's model, under settings with which its numbers are those of `LlamaBackend`.

    Keys in F16, values in BF16 and flash attention, for the reasons given there.

    Raises:
        InputError: llama.cpp cannot load it.
    """
    try:
        return llama_cpp.Llama(
            str(weights.resolve()),
            n_ctx=context,
            n_batch=UBATCH,
            n_ubatch=UBATCH,
            n_threads=threads,
            n_threads_batch=threads,
            n_gpu_layers=0,
            flash_attn=True,
            type_k=llama_cpp.GGML_TYPE_F16,
            type_v=BF16,
            last_n_tokens_size=context,  # a penalty counts what was written from the first token on
            verbose=False,
        )
    except (ValueError, RuntimeError, OSError) as error:
        raise InputError(f"{weights}: llama.cpp cannot load it ({error}); make it again or lower --context") from error


class LiveModel:
    """A model that is being served, and the control vector at a gain of 1.

    Args:
        model: llama-cpp-python's, as `load_model` returns it.
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
        self._vocabulary = library_vocabulary(model)
        self._longest = max(len(self._vocabulary.piece(token, special=True)) for token in range(model.n_vocab()))
        self._form = self._vocabulary.prompt_form(None)

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

    def steer_for(self, prompt: Prompt | Sequence[int]) -> None:
        """Add the vector, or take it away, as the gate says of a client's ``prompt``, which is counted."""
        tokens = self._vocabulary.tokenise(words_of(prompt), special=False) if isinstance(prompt, Prompt) else prompt
        opened = self._steer(tokens)
        if self._gate is not None:
            self.counts.opened, self.counts.shut = self.counts.opened + opened, self.counts.shut + (not opened)

    def _steer(self, words: Sequence[int]) -> bool:
        opens = self._gate is None or self._gate.opens(words)
        gain = self.gain if opens else 0.0
        if gain != self._added:
            self._add(gain)
        return opens

    def tokens_of(self, prompt: Prompt | Sequence[int], variables: Mapping[str, Any] | None = None) -> list[int]:
        """Return the tokens of a client's ``prompt``.

        They are a conversation as the chat template has it, a text after the begin token if the model's texts have
        one, or tokens as they are. Control tokens may be written out. The chat template reads ``variables``, too.

        Raises:
            InputError: a conversation that the chat template refuses, or a token that the model does not have.
        """
        if not isinstance(prompt, Prompt):
            wrong = [token for token in prompt if not 0 <= token < self._model.n_vocab()]
            if wrong:
                raise InputError(f"prompt: {wrong[0]} is no token of this model")
            tokens = list(prompt)
        elif prompt.text is None:
            form = replace(self._form, variables=variables or {})
            tokens = form.tokens(0, prompt, self._vocabulary.tokenise)
        else:
            tokens = list(self._model.tokenize(prompt.text.encode("utf-8"), add_bos=True, special=True))
        begin = int(self._model.token_bos())
        tokens = tokens or [begin] * (begin >= 0)
        if not tokens:
            raise InputError("prompt: is empty and the model has no begin token; give a text")
        return tokens

    def check_biases(self, biases: Mapping[int, float]) -> None:
        """Check that the model has every token of ``biases``.

        Raises:
            InputError: it has not.
        """
        highest = max(biases, default=0)
        if highest >= self._model.n_vocab():
            raise InputError(f"logit_bias: {highest} is no token of this model")

    def check_grammar(self, grammar: str | None) -> None:
        """Check that llama.cpp can read ``grammar``.

        Raises:
            InputError: it cannot.
        """
        if grammar is not None:
            LiveGrammar(self._model, grammar)

    @property
    def context(self) -> int:
        """Tokens of a prompt and its answer together."""
        return int(self._model.n_ctx())

    def may_hold(self, prompt: Prompt | Sequence[int]) -> bool:
        """Return whether ``prompt`` may fit in the context: a long text takes a minute to be tokenised."""
        length = len(words_of(prompt).encode("utf-8")) / self._longest if isinstance(prompt, Prompt) else len(prompt)
        return length <= self.context

    def write(self, tokens: Sequence[int], sampling: Sampling, *, limit: int, top: int | None) -> Iterator[Written]:
        """Yield the tokens of an answer, up to an end token or ``limit``.

        Args:
            tokens: of the prompt.
            sampling: how each is chosen.
            limit: tokens at most.
            top: alternatives beside each token's log-probability; None for no log-probabilities.

        Raises:
            InputError: no token of the model goes on as the grammar says.
        """
        grammar = None if sampling.grammar is None else LiveGrammar(self._model, sampling.grammar)
        processors = [partial(_biased, sampling.logit_bias)] if sampling.logit_bias else []
        self._model.set_seed(secrets.randbits(31) if sampling.seed is None else sampling.seed % SEEDS)
        steps = self._model.generate(
            tokens,
            temp=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            repeat_penalty=sampling.repeat_penalty,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            logits_processor=llama_cpp.LogitsProcessorList([*processors, *([grammar.mask] if grammar else [])]) or None,
        )
        for token in islice(steps, limit):
            if grammar is not None:
                grammar.accept(token)
            if llama_cpp.llama_vocab_is_eog(self._vocabulary.pointer, token):
                return
            self.counts.written += 1
            yield self._written(token, None if top is None else self._logits(-1), top or 0)

    def read(self, tokens: Sequence[int], top: int | None) -> list[Written]:
        """Return the tokens of a prompt as they would be written; the first has no log-probability."""
        begin = int(tokens[0] == self._model.token_bos())
        shown = tokens[begin:]
        if top is None:
            return [Written(self._vocabulary.piece(token, special=True)) for token in shown]
        read = [] if begin else [Written(self._vocabulary.piece(tokens[0], special=True))]
        rows = self._rows(list(tokens), 1)
        return read + [
            self._written(token, row, top, special=True) for token, row in zip(tokens[1:], rows, strict=True)
        ]

    def _written(self, token: int, logits: FloatArray | None, top: int, *, special: bool = False) -> Written:
        piece = self._vocabulary.piece(token, special=special)
        if logits is None:
            return Written(piece)
        likeliest = [int(index) for index in np.argsort(-logits, kind="stable")[:top]] if top else []
        logprob, *others = log_probability(logits, [token, *likeliest])
        named = [self._vocabulary.piece(index, special=special) for index in likeliest]
        return Written(piece, logprob, tuple(zip(named, others, strict=True)))

    def forget(self) -> None:
        """Empty the key-value cache, also in the eyes of llama-cpp-python, which else goes on from it."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._model.ctx), False)
        self._model.reset()

    def needs(self, request: OptionRequest) -> int:
        """Return the tokens that the context has to hold to score the options of ``request``."""
        longest = max(len(self._vocabulary.tokenise(option, special=False)) for option in request.options)
        return len(self._form.tokens(0, request.prompt, self._vocabulary.tokenise)) + longest - 1

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
            self._steer(self._vocabulary.tokenise(words_of(request.prompt, request.options), special=False))
            before = self._form.tokens(index, request.prompt, self._vocabulary.tokenise)
            sums, counts = [], []
            for option in option_tokens(index, request.options, partial(self._vocabulary.tokenise, special=False)):
                tokens = before + option
                check_fits_context(index, len(tokens) - 1, int(self._model.n_ctx()))
                sums.append(sum(self._log_probabilities(tokens, len(before))))
                counts.append(len(option))
            yield OptionScores(tuple(sums), tuple(counts))

    def _log_probabilities(self, tokens: list[int], first: int) -> Iterator[float]:
        """Yield the log-probability of each token from place ``first`` on, given those before it."""
        for token, row in zip(tokens[first:], self._rows(tokens, first), strict=True):
            yield log_probability(row, [token])[0]

    def _rows(self, tokens: list[int], first: int) -> Iterator[FloatArray]:
        """Yield the logits for each token from place ``first`` on, given those before it; nothing is kept."""
        self.forget()
        read = np.array(tokens[:-1], np.int32)
        for start in range(0, len(read), UBATCH):
            part = read[start : start + UBATCH]
            self._decode(part, start, wanted=first - 1)
            for row in range(max(first - 1 - start, 0), len(part)):
                yield self._logits(row)
        self.forget()

    def _logits(self, row: int) -> FloatArray:
        """Return a row of the last batch's logits; -1 is the last one that it has. It holds until the next batch."""
        pointer = llama_cpp.llama_get_logits_ith(self._model.ctx, row)
        return np.ctypeslib.as_array(pointer, (self._model.n_vocab(),))

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


def _biased(biases: Mapping[int, float], _: Any, logits: FloatArray) -> FloatArray:
    changed = logits.copy()
    changed[list(biases)] += np.fromiter(biases.values(), np.float32)
    return changed

"""llama.cpp on its low-level interface: only the tokens and the logits that a score needs are computed.

The high-level ``Llama`` class keeps logits of every position (the vocabulary projection is a quarter of a small
model's work) and knows no control vectors; see llama-cpp-python 0.3.36, ``llama_cpp/llama_cpp.py``.

**Numbers do not depend on company.** A sequence has the same logits, bit for bit, alone and packed with others, read in
one go or continued, at any size of the physical batch and any number of threads. llama.cpp does not promise this; two
things break it, and both are avoided here (found by experiment and in llama.cpp 0c1e57098, ``ggml-cpu/``):

1. *Attention sums in blocks of cells.* Without flash attention, softmax and the product with the values add up blocks
   of 8 cells of the cache (``ggml_vec_soft_max_f32``, ``tinyBLAS``). A masked cell adds an exact zero, but which of a
   sequence's cells share a block depends on where its cells lie. The difference is one rounding of a 32-bit sum; the
   next matrix product rounds its input to 16 bits (or 8, in blocks of 32, for quantised weights), where it flips
   whole steps, and thirty blocks of that end as far apart as any two roundings of the same model: at most 0.03 nats
   of a sum for F16, 0.8 for Q8_0, 1.1 for Q4_0, 0.6 for pruned Q8_0 (100 BBQ items, three options each; the preferred
   one changed in 0, 1, 3 and 2); a cache of 32 bits does not help (F16 0.03). With 32-bit weights and cache, where no
   such step follows, 2e-5 are left. The flash attention kernel visits one cell after the other and leaves masked ones
   out (``ggml_compute_forward_flash_attn_ext_f16_one_chunk``), so that only the order of a sequence's own cells
   counts, which is that of its tokens. It is used where keys and values are of different types: keys F16, values
   BF16, summed in 32 bits. (Both F16 would take the kernel in blocks of 64 cells, or sums in 16 bits.)
2. *Products with a single row use another kernel.* F16 and 32-bit weights: ``llamafile_sgemm`` returns below two rows,
   and logits of a lone row move by 0.016. Q8_0 and Q4_0 were the same at every number of rows; repacked weights take
   rows by four, which moved Q4_K_M by 4e-6. So batches are filled up to whole tiles of rows (`TILES`), and so are the
   rows with logits.

BF16 values cost precision: on 16 BBQ items, sums of the F16 build lie 0.013 nats on average (at most 0.041) from those
of 32-bit weights and cache, 0.009 (0.025) with both F16 and no flash attention.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any, Self

# llama.cpp's OpenMP threads spin while they wait unless told otherwise before the library is loaded: on a busy
# machine generation falls from tens of tokens a second to a few.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import llama_cpp.llama_cpp as llama
import numpy as np
import numpy.typing as npt

from edgebias.backends.base import (
    Generation,
    GenerationRequest,
    GenerationSettings,
    OptionRequest,
    OptionScores,
    Prompt,
    Usage,
)
from edgebias.backends.local.control_vector import apply_control_vector
from edgebias.backends.local.hidden_states import HiddenCapture
from edgebias.backends.local.llama_vocabulary import LlamaVocabulary
from edgebias.backends.local.out_of_memory import exit_in_one_line_when_out_of_memory
from edgebias.backends.local.prefix_tree import (
    PACK,
    Part,
    PrefixTree,
    ScoreCollector,
    ScorePack,
    score_packs,
    split_options,
)
from edgebias.backends.local.prompt_tokens import check_fits_context, option_tokens
from edgebias.backends.local.sampling import choose_token, common_prefix_length, cut_at_stop, log_probability
from edgebias.core.errors import InputError

UBATCH = 128
"""Physical batch: bounds the compute buffer, whose largest tensor is vocabulary x 4 bytes x UBATCH."""

MAX_SEQUENCES = 64
"""Most sequences of a pack; llama.cpp itself allows 256 (LLAMA_MAX_SEQ)."""

FILLING = MAX_SEQUENCES
"""The sequence of the rows that only fill up a batch."""

BF16 = 30
"""GGML_TYPE_BF16 of ggml.h, which llama-cpp-python does not name."""

TILES = {0: 2, 1: 2, 2: 1, 7: 1}
"""Rows of a batch, and rows with logits, come in multiples of this: by llama.cpp's number of the file type (F32, F16,
Q4_0, Q8_0), each measured with the AVX2 build."""

TILE = 4
"""The same for other types: what repacked weights take at once. A row that only fills up costs time."""

MAX_WRITERS = 32
"""Most prompts that are continued together; their cells are those of the context, so that more of them take no more."""

FloatArray = npt.NDArray[np.float32]

_errors: list[str] = []
"""llama.cpp's error lines since the last call that could fail: the first names the cause, the others its effects."""


def _keep_error(level: int, text: bytes, _: Any) -> None:
    if level == 4 and text.strip():  # GGML_LOG_LEVEL_ERROR
        _errors.append(text.decode("utf-8", "replace").strip())


_keep_errors = llama.llama_log_callback(_keep_error)
"""Lives as long as the module: llama.cpp keeps a pointer to it."""


@dataclass(frozen=True)
class _Rows:
    """Tokens to be evaluated: where each stands, the sequences it belongs to, and the rows whose logits are needed."""

    tokens: Sequence[int]
    positions: Sequence[int]
    sequences: Sequence[Sequence[int]]
    logits: Collection[int]


def _filled(count: int, tile: int) -> int:
    """``count`` rounded up to whole tiles of rows."""
    return -(-count // tile) * tile


@dataclass
class _Writer:
    """A prompt that is being continued; ``row`` is where the logits for its next token are."""

    prompt: list[int]
    sequence: int
    generator: np.random.Generator
    row: int
    written: bytearray = field(default_factory=bytearray)
    n_tokens: int = 0
    text: str | None = None
    """What was written, once it has ended."""


class LlamaBackend:
    """A GGUF model in llama.cpp on the CPU.

    Args:
        weights: the GGUF file.
        threads: for prompts and generation alike.
        context: cells of the key-value cache, in tokens.
        start_token: what ``Prompt(text=...)`` follows; None for what `LlamaVocabulary.start` finds in the file.
        memory_mb: the limit under which the process runs, for messages (`memory_limit.apply_memory_limit` sets it).
        capture_hidden: also allow `hidden_states` and `mean_states`; slows evaluation a little.
        template_variables: more names that the chat template may read, such as ``enable_thinking``.
        exact: hold keys and values as 32-bit floats and do without flash attention, which rounds them to 16 bits. With
            32-bit weights the sums then are those of any other program, but for the order of additions; numbers depend
            on company by 2e-5 nats.

    Raises:
        InputError: the file is absent, no GGUF, cut off, or too large for the memory.
    """

    name = "llama"
    scores_options = True

    def __init__(
        self,
        weights: Path,
        *,
        threads: int,
        context: int,
        start_token: str | None,
        memory_mb: int | None = None,
        capture_hidden: bool = False,
        template_variables: Mapping[str, Any] | None = None,
        exact: bool = False,
    ) -> None:
        _check_file(weights)
        self._weights = weights
        self._memory_mb = memory_mb
        self._context_size = context
        self._start_token = start_token
        self._template_variables = template_variables or {}
        self._model: Any = None
        self._context: Any = None
        self._held: list[int] = []
        self._steered: FloatArray | None = None
        self._prompt_tokens = self._reused_tokens = self._generated_tokens = self._scored_tokens = 0
        self._seconds = 0.0
        llama.llama_log_set(_keep_errors, ctypes.c_void_p(0))
        llama.llama_backend_init()
        if memory_mb is not None:
            exit_in_one_line_when_out_of_memory(_ggml(), weights, memory_mb)
        _errors.clear()
        try:
            self._load(threads, capture_hidden, exact)
        except BaseException:
            self.close()
            raise

    def _load(self, threads: int, capture_hidden: bool, exact: bool) -> None:
        parameters = llama.llama_model_default_params()
        # Read into private memory instead of mapping the file: the memory limit and the peak then count the weights.
        parameters.load_mode = llama.LLAMA_LOAD_MODE_NONE
        parameters.n_gpu_layers = 0
        self._model = llama.llama_model_load_from_file(os.fsencode(self._weights), parameters)
        if not self._model:
            raise self._fault("llama.cpp cannot load it")
        check_attention_alone(self._model, self._weights)
        trained = llama.llama_model_n_ctx_train(self._model)
        if self._context_size > trained:
            raise InputError(
                f"context: {self._context_size} tokens, but {self._weights} was trained for {trained}; lower it"
            )
        self._tokeniser = LlamaVocabulary(self._model, self._weights)
        self._vocabulary = self._tokeniser.pointer
        self._n_vocabulary = llama.llama_vocab_n_tokens(self._vocabulary)
        self._tile = TILES.get(llama.llama_model_ftype(self._model), TILE)
        options = llama.llama_context_default_params()
        options.n_ctx = self._context_size + TILE
        options.n_batch = _filled(self._context_size, TILE)
        options.n_ubatch = UBATCH
        options.n_seq_max = MAX_SEQUENCES + 1
        options.n_threads = options.n_threads_batch = threads
        # Attention cell by cell (module docstring): it is left for a blocked kernel where both types are the same.
        options.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_ENABLED
        options.type_k, options.type_v = llama.GGML_TYPE_F16, BF16
        if exact:
            options.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
            options.type_k = options.type_v = llama.GGML_TYPE_F32
        options.kv_unified = True  # options share the cells of their prompt
        options.no_perf = True
        self._hidden = HiddenCapture(_ggml(), self.n_layer, self.n_embd) if capture_hidden else None
        if self._hidden is not None:
            options.cb_eval = self._hidden.callback
        self._context = llama.llama_init_from_model(self._model, options)
        if not self._context:
            raise self._fault(f"no memory for a context of {self._context_size} tokens")
        self._memory = llama.llama_get_memory(self._context)
        self._form = replace(self._tokeniser.prompt_form(self._start_token), variables=self._template_variables)

    def _fault(self, what: str) -> InputError:
        reason = _errors[0] if _errors else "no reason given"
        memory = (
            f"; the memory limit is {self._memory_mb} MB: if that is too little, raise memory_mb or lower context"
            if self._memory_mb
            else "; make the file again"
        )
        return InputError(f"{self._weights}: {what} ({reason}){memory}")

    @property
    def n_layer(self) -> int:
        """Number of blocks."""
        return int(llama.llama_model_n_layer(self._model))

    @property
    def n_embd(self) -> int:
        """Width of the residual stream."""
        return int(llama.llama_model_n_embd(self._model))

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield summed log-probabilities (nats) and token counts of each request's options.

        Prompt and options are tokenised apart. Consecutive requests are evaluated together as a tree of at most `PACK`
        tokens: what prompts and options begin with in common is evaluated once, an option's last token not at all.
        Nothing is kept between packs. A request has the same numbers, bit for bit, in any list and alone.

        Raises:
            ContextError: a request does not fit in the context.
            InputError: an option is empty.
        """
        collector = ScoreCollector()
        for pack in self.packs(requests):
            if pack.last_index < skip:
                continue
            started = time.perf_counter()
            logprobs = self._evaluate(pack)
            self._seconds += time.perf_counter() - started
            yield from collector.take(pack, logprobs, skip=skip)

    def packs(self, requests: Sequence[OptionRequest]) -> Iterator[ScorePack]:
        """Return what `score` evaluates together, pack by pack."""
        room = min(PACK, self._context_size)
        return score_packs(self._parts(requests), room=room, sequences=MAX_SEQUENCES, most=self._context_size)

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        """Yield the continuation of each prompt, up to an end token, a stop string or ``max_new_tokens``.

        Consecutive requests of a list are continued together, as many as `PACK` tokens of prompts hold; each has the
        logits that it would have alone. A request that is given alone reuses what the prompt before it, if that was
        given alone, began with in common: a conversation costs its new tokens only.

        Options of one token are scored from the logits of the first step, longer ones by `score`.

        Raises:
            ContextError: prompt and new tokens do not fit in the context.
            InputError: an option is empty.
        """
        if skip >= len(requests):
            return
        if len(requests) == 1:
            prompt = self._prompt(0, requests[0].prompt)
            check_fits_context(0, len(prompt) + settings.max_new_tokens, self._context_size)
            yield from self._write(requests, self._continue_alone(prompt, requests[0].seed), settings)
            return
        room = min(PACK, self._context_size)
        tree, together, writers = PrefixTree(), list[GenerationRequest](), list[_Writer]()
        for index, request in enumerate(requests):
            prompt = self._prompt(index, request.prompt)
            check_fits_context(index, len(prompt) + settings.max_new_tokens, self._context_size)
            rows = len(tree) + tree.missing(prompt)
            cells = rows + (len(writers) + 1) * settings.max_new_tokens
            if writers and (rows > room or cells > self._context_size or len(writers) == MAX_WRITERS):
                yield from self._write_pack(tree, together, writers, settings, skip - index)
                tree, together, writers = PrefixTree(), [], []
            row = tree.add(prompt, own_sequence=True)[-1]
            together.append(request)
            writers.append(_Writer(prompt, tree.n_sequences - 1, np.random.default_rng(request.seed), row))
        if writers:
            yield from self._write_pack(tree, together, writers, settings, skip - len(requests))

    def hidden_states(self, requests: Sequence[OptionRequest]) -> Iterator[FloatArray]:
        """Yield the residual stream after every block at the last token of prompt + option.

        The array of a request has the shape (options, n_layer, n_embd); row ``il`` is llama.cpp's tensor
        ``l_out-il``, to which row ``il`` of a control vector is added (an active vector is included).

        Raises:
            ValueError: the backend was made without ``capture_hidden``.
            InputError: as `score`.
        """
        if self._hidden is None:
            raise ValueError("hidden_states needs a backend made with capture_hidden=True")
        for index, request in enumerate(requests):
            prompt, options = self.tokens_of(index, request)
            states = np.empty((len(options), self.n_layer, self.n_embd), np.float32)
            for row, option in enumerate(options):
                tokens = prompt + option
                check_fits_context(index, len(tokens), self._context_size)
                rows = self._new_rows(tokens)
                with self._hidden.copying_to(states[row]):
                    self._decode(rows)
                self._held = tokens
            yield states

    def mean_states(self, tokens: Sequence[int]) -> FloatArray:
        """Return the residual stream after every block but the last, averaged over a text: shape (n_layer - 1, n_embd).

        Of the last block llama.cpp computes no more than the rows that get logits. An active vector is included.

        Raises:
            ValueError: the backend was made without ``capture_hidden``, or there is no token.
            ContextError: the text does not fit in the context.
        """
        if self._hidden is None or not tokens:
            raise ValueError("mean_states needs tokens and a backend made with capture_hidden=True")
        check_fits_context(0, len(tokens), self._context_size)
        self.forget()
        sums = np.zeros((self.n_layer, self.n_embd), np.float32)
        with self._hidden.adding_to(sums, len(tokens)):
            self._decode(self._new_rows(list(tokens)))
        self.forget()
        return sums[:-1] / np.float32(len(tokens))

    def set_control_vector(self, data: FloatArray | None) -> None:
        """Add ``data[il]`` to the output of block ``il`` for every token from now on; None removes the vector.

        Everything evaluated so far is forgotten, since it was computed under the old vector.

        Args:
            data: float32 of shape (n_layer, n_embd); row 0 must be zero, since llama.cpp never applies it.

        Raises:
            ValueError: wrong shape or type, a value that is not finite, or a row 0 that is not zero.
        """
        same = data is None if self._steered is None else data is not None and np.array_equal(data, self._steered)
        if not same:  # llama.cpp would reserve its graph anew
            if not apply_control_vector(self._context, data, self.n_layer, self.n_embd):
                raise self._fault("llama.cpp refuses the control vector")
            self._steered = None if data is None else data.copy()
        self.forget()

    def forget(self) -> None:
        """Empty the key-value cache."""
        llama.llama_memory_clear(self._memory, False)
        self._held = []

    def usage(self) -> Usage:
        """Return the tokens and seconds so far.

        ``notes`` name the build, and the instruction sets that make it unportable.
        """
        features = llama.llama_print_system_info().decode()
        notes = {
            "library": f"llama-cpp-python {_library_version()}",
            "cpu_features": features.strip().strip("|").strip(),
            "reused_prompt_tokens": str(self._reused_tokens),
        }
        if "AVX512" in features or "AMX" in features:
            notes["portability"] = "built with AVX-512 or AMX: other machines may give other digits and greedy texts"
        return Usage(self._prompt_tokens, self._generated_tokens, self._scored_tokens, self._seconds, notes)

    def close(self) -> None:
        """Free the model; a second call does nothing."""
        if self._context:
            llama.llama_free(self._context)
            self._context = None
        if self._model:
            llama.llama_model_free(self._model)
            self._model = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def tokenise(self, text: str, *, special: bool) -> list[int]:
        """Return the tokens of ``text`` without any added begin token; ``special`` lets it name control tokens."""
        return self._tokeniser.tokenise(text, special=special)

    def tokens_of(self, index: int, request: OptionRequest) -> tuple[list[int], list[list[int]]]:
        """Return the tokens of request number ``index``: of its prompt, after the start token, and of each option.

        Raises:
            InputError: the prompt has no token, or an option is empty.
        """
        options = option_tokens(index, request.options, partial(self.tokenise, special=False))
        return self._prompt(index, request.prompt), options

    def logits_after(self, index: int, tree: PrefixTree, rows: Sequence[int]) -> FloatArray:
        """Return the logits of the next token after each of ``rows`` of ``tree``, shape (rows, vocabulary). Nothing is
        kept.

        Args:
            index: of the request that a message names.
            tree: what is evaluated; its sequences are at most `MAX_SEQUENCES`.
            rows: of the tree.

        Raises:
            ContextError: the tree has more tokens than the context.
        """
        check_fits_context(index, len(tree), self._context_size)
        started = time.perf_counter()
        self._decode_tree(tree, set(rows))
        logits = np.stack([self._logits(row) for row in rows])
        self.forget()
        self._scored_tokens += len(tree)
        self._seconds += time.perf_counter() - started
        return logits

    def _prompt(self, index: int, prompt: Prompt) -> list[int]:
        return self._form.tokens(index, prompt, self.tokenise)

    def _parts(self, requests: Sequence[OptionRequest]) -> Iterator[Part]:
        for index, request in enumerate(requests):
            prompt, options = self.tokens_of(index, request)
            check_fits_context(index, len(prompt) + max(map(len, options)) - 1, self._context_size)
            yield from split_options(index, prompt, options, MAX_SEQUENCES)

    def _evaluate(self, pack: ScorePack) -> dict[tuple[int, int], float]:
        """Return the log-probability of every wanted (row, token) of a pack."""
        check_fits_context(pack.parts[0].index, len(pack.tree), self._context_size)
        needed = pack.needed()
        self._decode_tree(pack.tree, needed)
        logprobs = {
            (row, token): value
            for row, tokens in needed.items()
            for token, value in zip(tokens, log_probability(self._logits(row), tokens), strict=True)
        }
        self.forget()
        evaluated = PrefixTree()
        for part in pack.parts:
            self._reused_tokens += len(part.prompt) - evaluated.missing(part.prompt)
            evaluated.add(part.prompt)
            self._prompt_tokens += len(part.prompt)
            self._scored_tokens += sum(map(len, part.options))
        return logprobs

    def _write_pack(
        self,
        tree: PrefixTree,
        together: list[GenerationRequest],
        writers: list[_Writer],
        settings: GenerationSettings,
        beyond: int,
    ) -> Iterator[Generation]:
        """Continue the prompts of a tree; leave out the first answers where ``beyond``, the number to be skipped after
        the pack, is below 0 and its size above that.
        """
        unknown = min(len(writers), -beyond)
        if unknown > 0:
            answers = self._write(together, self._read(tree, writers), settings)
            yield from islice(answers, len(writers) - unknown, None)

    def _read(self, tree: PrefixTree, writers: list[_Writer]) -> list[_Writer]:
        """Evaluate the prompts of ``writers``, which are the paths of ``tree``."""
        started = time.perf_counter()
        self._decode_tree(tree, {writer.row for writer in writers})
        self._reused_tokens += sum(len(writer.prompt) for writer in writers) - len(tree)
        self._seconds += time.perf_counter() - started
        return writers

    def _continue_alone(self, prompt: list[int], seed: int) -> list[_Writer]:
        """Evaluate what ``prompt`` has more than the tokens that are held."""
        started = time.perf_counter()
        rows = self._new_rows(prompt)
        self._decode(rows)
        self._held = prompt
        self._reused_tokens += len(prompt) - len(rows.tokens)
        self._seconds += time.perf_counter() - started
        return [_Writer(prompt, 0, np.random.default_rng(seed), len(rows.tokens) - 1)]

    def _write(
        self, requests: Sequence[GenerationRequest], writers: list[_Writer], settings: GenerationSettings
    ) -> Iterator[Generation]:
        """Continue all ``writers``, whose prompts were evaluated just now, one token each at a time."""
        started = time.perf_counter()
        scores = [self._first_scores(request, writer) for request, writer in zip(requests, writers, strict=True)]
        live = writers
        while live:
            tokens: list[int] = []
            for writer in live:
                token = self._next_token(writer, settings)
                if token is not None:
                    writer.row = len(tokens)
                    tokens.append(token)
            live = [writer for writer in live if writer.text is None]
            if live:
                if self._held:
                    self._held = self._held + tokens
                positions = [len(writer.prompt) + writer.n_tokens - 1 for writer in live]
                self._decode(_Rows(tokens, positions, [[writer.sequence] for writer in live], range(len(live))))
        self._prompt_tokens += sum(len(writer.prompt) for writer in writers)
        self._generated_tokens += sum(writer.n_tokens for writer in writers)
        self._seconds += time.perf_counter() - started
        for request, writer, known in zip(requests, writers, scores, strict=True):
            if known is None and request.options:
                (known,) = self.score([OptionRequest(request.prompt, request.options)])
            yield Generation(writer.text or "", writer.n_tokens, known)

    def _first_scores(self, request: GenerationRequest, writer: _Writer) -> OptionScores | None:
        """Return the scores of the options where each is one token; None otherwise."""
        options = [self.tokenise(option, special=False) for option in request.options]
        if not options or any(len(option) != 1 for option in options):
            return None
        logprobs = log_probability(self._logits(writer.row), [option[0] for option in options])
        self._scored_tokens += len(options)
        return OptionScores(tuple(logprobs), (1,) * len(options))

    def _next_token(self, writer: _Writer, settings: GenerationSettings) -> int | None:
        """Choose the next token of ``writer``, or end its text."""
        token = choose_token(self._logits(writer.row), settings.temperature, writer.generator)
        if llama.llama_vocab_is_eog(self._vocabulary, token):
            writer.text = writer.written.decode("utf-8", "replace")
            return None
        writer.written += self._tokeniser.piece(token, special=False)
        writer.n_tokens += 1
        text = writer.written.decode("utf-8", "replace")
        cut = cut_at_stop(text, settings.stop)
        if cut is not None or writer.n_tokens == settings.max_new_tokens:
            writer.text = text if cut is None else cut
            return None
        return token

    def _new_rows(self, tokens: list[int]) -> _Rows:
        """Drop what is held beyond the common beginning; return rows for the rest, in sequence 0."""
        kept = min(common_prefix_length(self._held, tokens), len(tokens) - 1)
        llama.llama_memory_seq_rm(self._memory, -1, kept, -1)
        self._held = tokens[:kept]
        new = tokens[kept:]
        return _Rows(new, list(range(kept, len(tokens))), [[0]] * len(new), {len(new) - 1})

    def _decode_tree(self, tree: PrefixTree, logits: Collection[int]) -> None:
        """Evaluate ``tree`` in an empty cache, with logits after the rows in ``logits``."""
        self.forget()
        self._decode(_Rows(tree.tokens, tree.positions, tree.members, logits))

    def _decode(self, rows: _Rows) -> None:
        """Evaluate ``rows``, filled up so that every matrix product takes the same kernel (module docstring)."""
        n_rows = len(rows.tokens)
        n_filled = _filled(n_rows, self._tile)
        filling = n_filled - n_rows
        tokens = np.zeros(n_filled, np.int32)
        positions = np.zeros(n_filled, np.int32)
        tokens[:n_rows] = rows.tokens
        positions[:n_rows] = rows.positions
        positions[n_rows:] = np.arange(filling)
        counts = np.ones(n_filled, np.int32)
        counts[:n_rows] = [len(members) for members in rows.sequences]
        members = np.fromiter(
            chain(chain.from_iterable(rows.sequences), repeat(FILLING, filling)), np.int32, counts.sum()
        )
        addresses = members.ctypes.data + 4 * (np.cumsum(counts, dtype=np.uint64) - counts.astype(np.uint64))
        logits = np.zeros(n_filled, np.int8)
        logits[list(rows.logits)] = 1
        for first in range(0, n_filled, UBATCH):
            part = logits[first : first + UBATCH]
            found = int(part.sum())
            more = _filled(found, self._tile) - found
            if more:
                part[np.flatnonzero(part == 0)[-more:]] = 1
        if self._hidden is not None:
            self._hidden.rows_after = filling
            self._hidden.outputs_after = int(logits[n_rows:].sum())
        batch = llama.llama_batch(
            n_tokens=n_filled,
            token=tokens.ctypes.data_as(ctypes.POINTER(llama.llama_token)),
            embd=None,
            pos=positions.ctypes.data_as(ctypes.POINTER(llama.llama_pos)),
            n_seq_id=counts.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=addresses.ctypes.data_as(ctypes.POINTER(ctypes.POINTER(llama.llama_seq_id))),
            logits=logits.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )
        _errors.clear()
        code = llama.llama_decode(self._context, batch)
        if code != 0:
            self.forget()
            raise self._fault(f"llama.cpp cannot evaluate {n_rows} tokens, code {code}")
        if filling:
            llama.llama_memory_seq_rm(self._memory, FILLING, -1, -1)

    def _logits(self, row: int) -> FloatArray:
        pointer = llama.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(pointer, (self._n_vocabulary,))


def _ggml() -> ctypes.CDLL:
    """Return the loaded ggml. A wheel holds a copy of the file for each of its names.

    To load by name may load another one.
    """
    return ctypes.CDLL(llama._lib._name)  # a lookup in libllama also searches the libraries that it was loaded with


def check_attention_alone(model: Any, weights: Path) -> None:
    """Check that ``model`` remembers a text in cells of attention alone, which can be shared and dropped one by one.

    Raises:
        InputError: it has a recurrent state, which cannot be rolled back to the end of a prompt, or an encoder.
    """
    if llama.llama_model_is_recurrent(model) or llama.llama_model_is_hybrid(model):
        reason = "its recurrent state cannot be rolled back, as options after one prompt and conversations need it"
    elif llama.llama_model_has_encoder(model) or not llama.llama_model_has_decoder(model):
        reason = "it has an encoder, where a model is needed that predicts each token from those before it"
    elif llama.llama_model_is_diffusion(model):
        reason = "it is a diffusion model, where one is needed that predicts each token from those before it"
    else:
        return
    raise InputError(f"{weights}: {reason}; serve it yourself and name it as an endpoint, or choose another model")


def _check_file(weights: Path) -> None:
    try:
        with weights.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise InputError(f"{weights}: cannot be read ({error.strerror}); run the stage that makes it") from error
    if magic != b"GGUF":
        raise InputError(f"{weights}: no GGUF file (it begins with {magic!r}); give a .gguf model")


def _library_version() -> str:
    from importlib.metadata import version

    return version("llama-cpp-python")

"""transformers on PyTorch: float32 on the CPU, with the same tokens, chat rendering and sampling as llama.cpp."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, Self

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read once, when the OpenMP library loads; see llama_engine.py

import numpy as np
import torch

from edgebias.backends.base import (
    Generation,
    GenerationRequest,
    GenerationSettings,
    OptionRequest,
    OptionScores,
    Prompt,
    Usage,
)
from edgebias.backends.local.packed_linear import pack_linear_layers
from edgebias.backends.local.prefix_tree import Part, PrefixTree, ScoreCollector, ScorePack, score_packs, split_options
from edgebias.backends.local.prompt_tokens import check_fits_context, check_prompt, option_tokens
from edgebias.backends.local.sampling import (
    check_finite,
    choose_token,
    common_prefix_length,
    cut_at_stop,
    log_probability,
)
from edgebias.backends.local.transformers_vocabulary import TransformersVocabulary
from edgebias.backends.local.tree_attention import (
    IGNORED_MASK,
    NAME,
    AttentionPattern,
    Continuation,
    TreeAttention,
    register,
)
from edgebias.core.errors import InputError, one_line

ROWS = 2048
"""Most tokens that are evaluated together; a longer request goes alone. The more, the more beginnings are shared."""

OUTPUTS = 1024
"""Most tokens to be scored in one evaluation: each keeps logits of the whole vocabulary."""

WRITERS = 32
"""Most prompts that are continued together."""

CELLS = 8192
"""Most tokens whose keys and values are held while prompts are continued together; a longer prompt goes alone."""

TOKENISED = 64
"""Prompts that are tokenised together."""

NORMALISED = 64
"""Rows of logits whose normaliser is computed together: bounds the copy that this takes."""

END_OF_TURN = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "<end_of_turn>",
    "</s>",
    "<eos>",
)
"""Tokens that llama.cpp takes for an end besides the model's own (llama-vocab.cpp); both backends stop alike."""


@dataclass
class _Writer:
    """A prompt that is being continued."""

    request: GenerationRequest
    prompt: list[int]
    options: list[list[int]]
    generator: np.random.Generator
    tokens: list[int] = field(default_factory=list)
    text: str | None = None
    """What was written, once it has ended."""
    scores: OptionScores | None = None


class TorchBackend:
    """A folder of transformers weights on the CPU.

    Args:
        folder: ``config.json``, ``model.safetensors``, ``tokenizer.json``, ``tokenizer_config.json``.
        threads: of PyTorch, for the whole process.
        context: most tokens of prompt and continuation together.
        start_token: what ``Prompt(text=...)`` follows; None for what the folder names, as a converted one does, or else
            the begin token.
        template_variables: more names that the chat template may read, such as ``enable_thinking``.
        exact: compute in 64 bits, at twice the memory and a fraction of the speed. In 32 bits a sum of Qwen2.5-0.5B lay
            0.0046 nats from that in 64 bits (a CrowS-Pairs sentence of 17 tokens).

    Raises:
        InputError: the folder or one of its files is absent or cannot be loaded.
    """

    name = "torch"
    scores_options = True

    def __init__(
        self,
        folder: Path,
        *,
        threads: int,
        context: int,
        start_token: str | None,
        template_variables: Mapping[str, Any] | None = None,
        exact: bool = False,
    ) -> None:
        if not (folder / "config.json").is_file():
            raise InputError(
                f"{folder}: no folder of transformers weights (no config.json); run `edgebias transformers-weights`"
            )
        import transformers

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        torch.set_num_threads(threads)
        try:
            # What the folder holds: for some architectures AutoTokenizer makes another one.
            self._tokenizer: Any = transformers.PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
            self._model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float64 if exact else torch.float32, local_files_only=True
            )
        except Exception as error:  # transformers, tokenizers and safetensors each raise types of their own
            reason = one_line(error, 200)
            raise InputError(f"{folder}: transformers cannot load it ({reason}); make the folder again") from error
        self._model.eval().requires_grad_(False)
        self._packed = pack_linear_layers(self._model)
        self._vocabulary = TransformersVocabulary(self._tokenizer, folder)
        self._option = lru_cache(maxsize=4096)(partial(self.tokenise, special=False))
        self._context_size = context
        self._form = replace(self._vocabulary.prompt_form(start_token), variables=template_variables or {})
        self._ends = self._end_tokens()
        self._held: list[int] = []
        self._cache: Any = None
        """Keys and values of ``_held``."""
        self._prompt_tokens = self._generated_tokens = self._scored_tokens = 0
        self._seconds = 0.0
        self._trees = self._takes_trees()

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield summed log-probabilities (nats) and token counts of each request's options.

        Consecutive requests are evaluated in one pass, as a tree of at most `ROWS` tokens in which a token attends to
        its ancestors alone; the vocabulary is projected where a score needs it. Where a layer's attention has a sliding
        window, it is kept. A model whose attention cannot be replaced is given one option after the other.

        Raises:
            ContextError: a request does not fit in the context.
            InputError: an option is empty.
        """
        collector = ScoreCollector()
        for pack in self.packs(requests):
            if pack.last_index < skip:
                continue
            started = time.perf_counter()
            with torch.inference_mode():
                logprobs = self._evaluate(pack) if self._trees else self._evaluate_paths(pack)
            self._prompt_tokens += sum(len(part.prompt) for part in pack.parts)
            self._scored_tokens += sum(len(option) for part in pack.parts for option in part.options)
            self._seconds += time.perf_counter() - started
            yield from collector.take(pack, logprobs, skip=skip)

    def packs(self, requests: Sequence[OptionRequest]) -> Iterator[ScorePack]:
        """Return what `score` evaluates together, pack by pack."""
        return score_packs(self._parts(requests), room=ROWS, sequences=ROWS, outputs=OUTPUTS)

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        """Yield the continuation of each prompt, up to an end token, a stop string or ``max_new_tokens``.

        Consecutive requests of a list are continued together: as many as `WRITERS`, and as `CELLS` tokens of prompts
        and continuations hold. What their prompts begin with in common is read once. Draws belong to the seed of a
        request; what is written beside it moves its logits by rounding alone. A request that is given alone reuses what
        the prompt before it, if that was given alone, began with in common: a conversation costs its new tokens only.

        Options of one token are scored from the logits of the first step, longer ones by `score`.

        Raises:
            ContextError: prompt and new tokens do not fit in the context.
            InputError: an option is empty.
        """
        if skip >= len(requests):
            return
        first, group, tree = 0, list[_Writer](), PrefixTree()
        for writer in self._writers(requests, settings):
            if group and not self._has_room(group, tree, writer, settings):
                yield from self._write(group, tree, settings, alone=len(requests) == 1, skip=skip - first)
                first, group, tree = first + len(group), [], PrefixTree()
            group.append(writer)
            tree.add(writer.prompt)
        yield from self._write(group, tree, settings, alone=len(requests) == 1, skip=skip - first)

    def forget(self) -> None:
        """Drop the keys and values of the last prompt."""
        self._held, self._cache = [], None

    def usage(self) -> Usage:
        """Return the tokens and seconds so far.

        ``notes`` name the libraries, the instruction set that PyTorch uses, and how many linear layers oneDNN computes.
        """
        import transformers

        notes = {
            "library": f"transformers {transformers.__version__}, torch {torch.__version__}",
            "cpu_features": torch.backends.cpu.get_cpu_capability(),
            "packed_layers": str(self._packed),
        }
        return Usage(self._prompt_tokens, self._generated_tokens, self._scored_tokens, self._seconds, notes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._model = self._cache = None

    def tokenise(self, text: str, *, special: bool) -> list[int]:
        """Return the tokens of ``text`` without any added begin token; ``special`` lets it name control tokens."""
        return self._vocabulary.tokenise(text, special=special)

    def _end_tokens(self) -> frozenset[int]:
        ends: set[int] = set()
        for source in (self._model.generation_config, self._model.config, self._tokenizer):
            own = getattr(source, "eos_token_id", None)
            if own is not None:
                ends |= set(own) if isinstance(own, list) else {int(own)}
        added = self._tokenizer.get_added_vocab()
        return frozenset(ends | {added[text] for text in END_OF_TURN if text in added})

    def _takes_trees(self) -> bool:
        """Return whether the model computes the same along two branches of a tree as along two sequences.

        Its attention is replaced for that (`tree_attention`). Where it cannot be, or where not all that a model keeps
        of what stands to the left are keys and values, the model's own attention stays, and sequences go one by one.
        """
        own = self._model.config._attn_implementation
        branches = [[0, 1, 2, 0], [0, 2]]
        tree = PrefixTree()
        ends = [tree.add(branch)[-1] for branch in branches]
        with torch.inference_mode():
            plain = [
                self._model(input_ids=torch.tensor([branch]), use_cache=False).logits[0, -1] for branch in branches
            ]
            try:
                register()
                self._model.set_attn_implementation(NAME)
                together = self._read(tree, TreeAttention(tree), ends)
            except Exception:  # whatever a model raises that does not know what it is given
                together = torch.full((len(ends), 1), float("nan"))
        expected = torch.stack(plain)
        if bool(((together - expected).abs() <= 1e-3 * expected.abs().max()).all()):
            return True
        self._model.set_attn_implementation(own)
        return False

    def _prompts(self, prompts: Sequence[Prompt]) -> Iterator[list[int]]:
        """Yield the tokens of each prompt."""
        for first in range(0, len(prompts), TOKENISED):
            some = list(enumerate(prompts[first : first + TOKENISED], first))
            found: dict[int, list[int]] = {}
            for special in (False, True):
                texts = {i: self._form.text(p) for i, p in some if (p.text is None) == special}
                if texts:
                    encoded = self._vocabulary.tokenise_all(list(texts.values()), special=special)
                    start = [] if special else [*self._form.start]
                    found |= {i: start + tokens for i, tokens in zip(texts, encoded, strict=True)}
            for index, _ in some:
                check_prompt(index, found[index])
                yield found[index]

    def _parts(self, requests: Sequence[OptionRequest]) -> Iterator[Part]:
        prompts = self._prompts([request.prompt for request in requests])
        for index, (request, prompt) in enumerate(zip(requests, prompts, strict=True)):
            options = option_tokens(index, request.options, self._option)
            check_fits_context(index, len(prompt) + max(map(len, options)) - 1, self._context_size)
            yield from split_options(index, prompt, options, OUTPUTS)

    def _read(self, tree: PrefixTree, attends: AttentionPattern, rows: Sequence[int]) -> torch.Tensor:
        """Return the logits after ``rows`` of ``tree``, in the order of ``rows``."""
        logits: torch.Tensor = self._model(
            input_ids=torch.tensor([tree.tokens]),
            position_ids=torch.tensor([tree.positions]),
            attention_mask=IGNORED_MASK,
            attends=attends,
            use_cache=False,
            logits_to_keep=torch.tensor(rows),
        ).logits
        return logits[0]

    def _evaluate(self, pack: ScorePack) -> dict[tuple[int, int], float]:
        """Return the log-probability of every wanted (row, token) of a pack."""
        needed = pack.needed()
        logits = self._read(pack.tree, TreeAttention(pack.tree), list(needed))
        places = [place for place, tokens in enumerate(needed.values()) for _ in tokens]
        pairs = [(row, token) for row, tokens in needed.items() for token in tokens]
        return dict(zip(pairs, _log_probabilities(logits, places, [token for _, token in pairs]), strict=True))

    def _evaluate_paths(self, pack: ScorePack) -> dict[tuple[int, int], float]:
        """Return the same, one path after the other."""
        found: dict[tuple[int, int], float] = {}
        for part, wanted in zip(pack.parts, pack.wanted, strict=True):
            for option, pairs in zip(part.options, wanted, strict=True):
                logits = self._model(
                    input_ids=torch.tensor([part.prompt + option[:-1]]), use_cache=False, logits_to_keep=len(option)
                ).logits[0]
                found.update(zip(pairs, _log_probabilities(logits, range(len(option)), option), strict=True))
        return found

    def _writers(self, requests: Sequence[GenerationRequest], settings: GenerationSettings) -> Iterator[_Writer]:
        prompts = self._prompts([request.prompt for request in requests])
        for index, (request, prompt) in enumerate(zip(requests, prompts, strict=True)):
            options = option_tokens(index, request.options, self._option) if request.options else []
            check_fits_context(index, len(prompt) + settings.max_new_tokens, self._context_size)
            yield _Writer(request, prompt, options, np.random.default_rng(request.seed))

    def _has_room(self, group: list[_Writer], tree: PrefixTree, writer: _Writer, settings: GenerationSettings) -> bool:
        """Return whether ``writer`` can be continued together with ``group``, whose prompts are in ``tree``."""
        longest = max(len(each.prompt) for each in [*group, writer]) + settings.max_new_tokens
        return (
            self._trees
            and len(group) < WRITERS
            and longest * (len(group) + 1) <= CELLS
            and len(tree) + tree.missing(writer.prompt) <= ROWS
        )

    def _write(
        self, group: list[_Writer], tree: PrefixTree, settings: GenerationSettings, *, alone: bool, skip: int
    ) -> Iterator[Generation]:
        """Continue the prompts of ``group``; leave out the first ``skip`` answers, and all work where that is all."""
        if skip >= len(group):
            return
        started = time.perf_counter()
        with torch.inference_mode():
            if alone:
                self._continue_held(group[0], settings)
            elif self._trees:
                self._continue_together(group, tree, settings)
            else:
                self.forget()
                self._continue_held(group[0], settings)
                self.forget()
        self._prompt_tokens += sum(len(writer.prompt) for writer in group)
        self._generated_tokens += sum(len(writer.tokens) for writer in group)
        self._seconds += time.perf_counter() - started
        unscored = [writer for writer in group if writer.options and writer.scores is None]
        asked = [OptionRequest(writer.request.prompt, writer.request.options) for writer in unscored]
        for writer, scores in zip(unscored, self.score(asked), strict=True):
            writer.scores = scores
        for writer in islice(group, max(skip, 0), None):
            yield Generation(writer.text or "", len(writer.tokens), writer.scores)

    def _continue_together(self, group: list[_Writer], tree: PrefixTree, settings: GenerationSettings) -> None:
        paths = [tree.add(writer.prompt) for writer in group]
        ends = sorted({path[-1] for path in paths})
        attends = TreeAttention(tree, keep=True)
        read = self._read(tree, attends, ends)
        logits = read[[ends.index(path[-1]) for path in paths]].numpy()
        for writer, row in zip(group, logits, strict=True):
            self._score_first(writer, row)
        continuation = Continuation(attends, paths, settings.max_new_tokens)
        del attends, read
        held = group
        while True:
            for writer, row in zip(held, logits, strict=True):
                if writer.text is None:
                    self._choose(writer, row, settings)
            live = [entry for entry, writer in enumerate(held) if writer.text is None]
            if not live:
                return
            if 4 * len(live) <= 3 * len(held):  # copying what is held costs as much as some steps of the ended ones
                continuation.keep(live)
                held = [held[entry] for entry in live]
            logits = (
                self._model(
                    input_ids=torch.tensor([[writer.tokens[-1] if writer.tokens else 0] for writer in held]),
                    position_ids=continuation.lengths[:, None],
                    attention_mask=IGNORED_MASK,
                    attends=continuation,
                    use_cache=False,
                )
                .logits[:, 0]
                .numpy()
            )
            continuation.advance()

    def _continue_held(self, writer: _Writer, settings: GenerationSettings) -> None:
        """Continue one prompt from what is held of the one before."""
        kept = min(common_prefix_length(self._held, writer.prompt), len(writer.prompt) - 1)
        if kept == 0:
            self._cache = None
        elif kept < len(self._held):
            self._cache.crop(kept - len(self._held))  # negative: how many to remove
        self._held = writer.prompt[:kept]
        feed = writer.prompt[kept:]
        while writer.text is None:
            output = self._model(
                input_ids=torch.tensor([feed]), past_key_values=self._cache, use_cache=True, logits_to_keep=1
            )
            self._cache = output.past_key_values
            self._held = self._held + feed
            logits = output.logits[0, -1].numpy()
            if not writer.tokens:
                self._score_first(writer, logits)
            self._choose(writer, logits, settings)
            feed = writer.tokens[-1:]

    def _score_first(self, writer: _Writer, logits: Any) -> None:
        """Score options of one token from the logits after the prompt."""
        if writer.options and all(len(option) == 1 for option in writer.options):
            firsts = log_probability(logits, [option[0] for option in writer.options])
            writer.scores = OptionScores(tuple(firsts), (1,) * len(firsts))
            self._scored_tokens += len(firsts)

    def _choose(self, writer: _Writer, logits: Any, settings: GenerationSettings) -> None:
        """Append the next token, or end the text."""
        token = choose_token(logits, settings.temperature, writer.generator)
        if token in self._ends:
            writer.text = self._text(writer.tokens)
            return
        writer.tokens.append(token)
        text = self._text(writer.tokens)
        cut = cut_at_stop(text, settings.stop)
        if cut is not None or len(writer.tokens) == settings.max_new_tokens:
            writer.text = text if cut is None else cut

    def _text(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def _log_probabilities(logits: torch.Tensor, places: Sequence[int], tokens: Sequence[int]) -> list[float]:
    """Return the natural log-probability of each of ``tokens`` under the row of ``logits`` at the same place of
    ``places``.

    Exponentials are 32-bit, their sum and all that follows 64-bit.

    Raises:
        NotFiniteError: a logit is not finite.
    """
    normalisers = []
    for rows in torch.split(logits, NORMALISED):
        top = rows.max(dim=-1, keepdim=True).values
        check_finite(float(top.sum()))
        total = (rows - top).exp_().sum(dim=-1, dtype=torch.float64)
        normalisers.append(top[:, 0].double() + total.log())
    chosen = logits[list(places), list(tokens)].double()
    found: list[float] = (chosen - torch.cat(normalisers)[list(places)]).tolist()
    return found

"""transformers on PyTorch: float32 on the CPU, with the same tokens, chat rendering and sampling as llama.cpp."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read once, when the OpenMP library loads; see llama.py

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
from edgebias.backends.chat_template import render_chat
from edgebias.backends.prefix_tree import PACK, Collector, Part, PrefixTree, ScorePack, score_packs, split_options
from edgebias.backends.prompt_tokens import check_prompt, check_room, check_start, option_tokens
from edgebias.backends.sampling import choose_token, common_length, cut_at_stop, log_probability
from edgebias.errors import InputError

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


class TorchBackend:
    """A folder of transformers weights on the CPU.

    Args:
        folder: ``config.json``, ``model.safetensors``, ``tokenizer.json``, ``tokenizer_config.json``.
        threads: of PyTorch, for the whole process.
        context: most tokens of prompt and continuation together.
        start_token: what ``Prompt(text=...)`` follows; None for the model's own begin token.

    Raises:
        InputError: the folder or one of its files is absent or cannot be loaded.
    """

    name = "torch"
    scores_options = True

    def __init__(self, folder: Path, *, threads: int, context: int, start_token: str | None) -> None:
        if not (folder / "config.json").is_file():
            raise InputError(f"{folder}: no folder of transformers weights (no config.json); run edgebias.variants")
        import transformers

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        torch.set_num_threads(threads)
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True
            )
        except Exception as error:  # transformers, tokenizers and safetensors each raise types of their own
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{folder}: transformers cannot load it ({reason}); make the folder again") from error
        self._model.eval()
        self._folder = folder
        self._context_size = context
        self._start = self._start_tokens(start_token)
        self._ends = self._end_tokens()
        self._held: list[int] = []
        self._cache: Any = None
        """Keys and values of ``_held``."""
        self._prompt_tokens = self._generated_tokens = self._scored_tokens = 0
        self._seconds = 0.0

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield summed log-probabilities (nats) and token counts of each request's options.

        Consecutive requests are evaluated in one pass, as a tree of at most `PACK` tokens in which a token attends to
        its ancestors alone. The mask is explicit, so a model with sliding-window attention would see beyond its window
        where a prompt is longer than that.

        Raises:
            ContextError: a request does not fit in the context.
            InputError: an option is empty.
        """
        room, collector = min(PACK, self._context_size), Collector()
        for pack in score_packs(self._parts(requests), room=room, sequences=PACK):
            if pack.last_index < skip:
                continue
            started = time.perf_counter()
            with torch.inference_mode():
                logprobs = self._evaluate(pack)
            self._prompt_tokens += sum(len(part.prompt) for part in pack.parts)
            self._scored_tokens += sum(len(option) for part in pack.parts for option in part.options)
            self._seconds += time.perf_counter() - started
            yield from collector.take(pack, logprobs, skip=skip)

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        """Yield the continuation of each prompt, up to an end token, a stop string or ``max_new_tokens``.

        Prompts are continued one after another; what one has in common with the beginning of the one before is not
        evaluated again. Options of one token are scored from the logits of the first step, longer ones by `score`.

        Raises:
            ContextError: prompt and new tokens do not fit in the context.
            InputError: an option is empty.
        """
        for index, request in enumerate(requests):
            started = time.perf_counter()
            prompt = self._prompt(index, request.prompt)
            options = [self.tokenise(option, special=False) for option in request.options]
            check_room(index, len(prompt) + settings.max_new_tokens, self._context_size)
            with torch.inference_mode():
                generation = self._continue(prompt, request.seed, settings, options)
            self._prompt_tokens += len(prompt)
            self._generated_tokens += generation.n_tokens
            self._seconds += time.perf_counter() - started
            if options and generation.scores is None:
                (scores,) = self.score([OptionRequest(request.prompt, request.options)])
                generation = replace(generation, scores=scores)
            if index >= skip:
                yield generation

    def forget(self) -> None:
        """Drop the keys and values of the last prompt."""
        self._held, self._cache = [], None

    def usage(self) -> Usage:
        """Tokens and seconds so far; ``notes`` name the libraries and the instruction set that PyTorch uses."""
        import transformers

        notes = {
            "library": f"transformers {transformers.__version__}, torch {torch.__version__}",
            "cpu_features": torch.backends.cpu.get_cpu_capability(),
        }
        return Usage(self._prompt_tokens, self._generated_tokens, self._scored_tokens, self._seconds, notes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._model = self._cache = None

    def tokenise(self, text: str, *, special: bool) -> list[int]:
        """Tokens of ``text`` without any added begin token; ``special`` lets it name control tokens."""
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=not special)
        return [int(token) for token in encoded["input_ids"]]

    def _start_tokens(self, start_token: str | None) -> list[int]:
        if start_token is None:
            begin = self._tokenizer.bos_token_id
            return [] if begin is None else [int(begin)]
        tokens = self.tokenise(start_token, special=True)
        check_start(start_token, tokens, self._folder)
        return tokens

    def _end_tokens(self) -> frozenset[int]:
        ends: set[int] = set()
        for source in (self._model.generation_config, self._model.config, self._tokenizer):
            own = getattr(source, "eos_token_id", None)
            if own is not None:
                ends |= set(own) if isinstance(own, list) else {int(own)}
        added = self._tokenizer.get_added_vocab()
        return frozenset(ends | {added[text] for text in END_OF_TURN if text in added})

    def _prompt(self, index: int, prompt: Prompt) -> list[int]:
        if prompt.text is not None:
            tokens = self._start + self.tokenise(prompt.text, special=False)
        else:
            text = render_chat(
                self._tokenizer.chat_template,
                prompt.messages,
                bos_token=self._tokenizer.bos_token or "",
                eos_token=self._tokenizer.eos_token or "",
            )
            tokens = self.tokenise(text, special=True)
        check_prompt(index, tokens)
        return tokens

    def _parts(self, requests: Sequence[OptionRequest]) -> Iterator[Part]:
        for index, request in enumerate(requests):
            options = option_tokens(index, request.options, partial(self.tokenise, special=False))
            prompt = self._prompt(index, request.prompt)
            check_room(index, len(prompt) + max(map(len, options)) - 1, self._context_size)
            yield from split_options(index, prompt, options, PACK)

    def _evaluate(self, pack: ScorePack) -> dict[tuple[int, int], float]:
        """Log-probability of every wanted (row, token) of a pack."""
        needed = pack.needed()
        logits = self._model(
            input_ids=torch.tensor([pack.tree.tokens]),
            position_ids=torch.tensor([pack.tree.positions]),
            attention_mask=_tree_mask(pack.tree),
            use_cache=False,
            logits_to_keep=torch.tensor(list(needed)),
        ).logits[0]
        return {
            (row, token): value
            for place, (row, tokens) in enumerate(needed.items())
            for token, value in zip(tokens, log_probability(logits[place].numpy(), tokens), strict=True)
        }

    def _continue(
        self, prompt: list[int], seed: int, settings: GenerationSettings, options: list[list[int]]
    ) -> Generation:
        generator = np.random.default_rng(seed)
        tokens: list[int] = []
        scores: OptionScores | None = None
        kept = min(common_length(self._held, prompt), len(prompt) - 1)
        if kept == 0:
            self._cache = None
        elif kept < len(self._held):
            self._cache.crop(kept - len(self._held))  # negative: how many to remove
        self._held = prompt[:kept]
        feed = prompt[kept:]
        while len(tokens) < settings.max_new_tokens:
            output = self._model(
                input_ids=torch.tensor([feed]), past_key_values=self._cache, use_cache=True, logits_to_keep=1
            )
            self._cache = output.past_key_values
            self._held = self._held + feed
            logits = output.logits[0, -1].numpy()
            if not tokens and options and all(len(option) == 1 for option in options):
                firsts = log_probability(logits, [option[0] for option in options])
                scores = OptionScores(tuple(firsts), (1,) * len(options))
                self._scored_tokens += len(options)
            token = choose_token(logits, settings.temperature, generator)
            if token in self._ends:
                break
            tokens.append(token)
            cut = cut_at_stop(self._text(tokens), settings.stop)
            if cut is not None:
                return Generation(cut, len(tokens), scores)
            feed = [token]
        return Generation(self._text(tokens), len(tokens), scores)

    def _text(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def _tree_mask(tree: PrefixTree) -> torch.Tensor:
    """What is added to attention scores, shape (1, 1, rows, rows): 0 for a row's ancestors and itself, else -inf."""
    seen = torch.zeros((len(tree), len(tree)), dtype=torch.bool)
    for row, parent in enumerate(tree.parents):
        if parent >= 0:
            seen[row] = seen[parent]
        seen[row, row] = True
    return torch.zeros(seen.shape).masked_fill_(~seen, float("-inf"))[None, None]

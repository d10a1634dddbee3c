"""transformers on PyTorch: float32 on the CPU, with the same tokens, chat rendering and sampling as llama.cpp."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
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
from edgebias.backends.sampling import choose_token, cut_at_stop, log_probability
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
        self._prompt_tokens = self._generated_tokens = self._scored_tokens = 0
        self._seconds = 0.0

    def score(self, requests: Sequence[OptionRequest]) -> Iterator[OptionScores]:
        """Yield summed log-probabilities (nats) and token counts of each request's options.

        The prompt is evaluated once; its cache is repeated for all options, which follow as one right-padded batch.

        Raises:
            InputError: a request does not fit in the context, or has an empty option.
        """
        for index, request in enumerate(requests):
            started = time.perf_counter()
            prompt = self._prompt(index, request.prompt)
            options = [self.tokenise(option, special=False) for option in request.options]
            if not options or not all(options):
                raise InputError(f"request {index}: an option is empty; give every option a text")
            self._check_room(index, len(prompt) + max(map(len, options)))
            with torch.inference_mode():
                logprobs = self._score_options(prompt, options)
            self._prompt_tokens += len(prompt)
            self._scored_tokens += sum(map(len, options))
            self._seconds += time.perf_counter() - started
            yield OptionScores(tuple(logprobs), tuple(map(len, options)))

    def generate(self, requests: Sequence[GenerationRequest], settings: GenerationSettings) -> Iterator[Generation]:
        """Yield the continuation of each prompt, up to an end token, a stop string or ``max_new_tokens``.

        Raises:
            InputError: prompt and new tokens do not fit in the context.
        """
        for index, request in enumerate(requests):
            started = time.perf_counter()
            prompt = self._prompt(index, request.prompt)
            self._check_room(index, len(prompt) + settings.max_new_tokens)
            with torch.inference_mode():
                generation = self._continue(prompt, request.seed, settings)
            self._prompt_tokens += len(prompt)
            self._generated_tokens += generation.n_tokens
            self._seconds += time.perf_counter() - started
            yield generation

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
        self._model = None

    def tokenise(self, text: str, *, special: bool) -> list[int]:
        """Tokens of ``text`` without any added begin token; ``special`` lets it name control tokens."""
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=not special)
        return [int(token) for token in encoded["input_ids"]]

    def _start_tokens(self, start_token: str | None) -> list[int]:
        if start_token is None:
            begin = self._tokenizer.bos_token_id
            return [] if begin is None else [int(begin)]
        tokens = self.tokenise(start_token, special=True)
        if len(tokens) != 1:
            raise InputError(f"start_token: {start_token!r} is not one token of {self._folder}; name one that is")
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
        if not tokens:
            raise InputError(f"request {index}: the prompt is empty and the model has no begin token; set start_token")
        return tokens

    def _check_room(self, index: int, needed: int) -> None:
        if needed > self._context_size:
            raise InputError(
                f"request {index}: {needed} tokens, but the context holds {self._context_size}; "
                "raise the environment's context or shorten the prompt"
            )

    def _score_options(self, prompt: list[int], options: list[list[int]]) -> list[float]:
        output = self._model(input_ids=torch.tensor([prompt]), use_cache=True, logits_to_keep=1)
        firsts = log_probability(output.logits[0, -1].numpy(), [option[0] for option in options])
        longest = max(map(len, options)) - 1
        if longest == 0:
            return firsts
        ids = torch.zeros((len(options), longest), dtype=torch.long)
        mask = torch.zeros((len(options), len(prompt) + longest), dtype=torch.long)
        mask[:, : len(prompt)] = 1
        for row, option in enumerate(options):
            ids[row, : len(option) - 1] = torch.tensor(option[:-1])
            mask[row, len(prompt) : len(prompt) + len(option) - 1] = 1
        cache = output.past_key_values
        cache.batch_repeat_interleave(len(options))
        positions = torch.arange(len(prompt), len(prompt) + longest).expand(len(options), -1)
        logits = self._model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        ).logits
        return [
            firsts[row]
            + sum(log_probability(logits[row, column].numpy(), [token])[0] for column, token in enumerate(option[1:]))
            for row, option in enumerate(options)
        ]

    def _continue(self, prompt: list[int], seed: int, settings: GenerationSettings) -> Generation:
        generator = np.random.default_rng(seed)
        tokens: list[int] = []
        feed, cache = prompt, None
        while len(tokens) < settings.max_new_tokens:
            output = self._model(
                input_ids=torch.tensor([feed]), past_key_values=cache, use_cache=True, logits_to_keep=1
            )
            cache = output.past_key_values
            token = choose_token(output.logits[0, -1].numpy(), settings.temperature, generator)
            if token in self._ends:
                break
            tokens.append(token)
            cut = cut_at_stop(self._text(tokens), settings.stop)
            if cut is not None:
                return Generation(cut, len(tokens))
            feed = [token]
        return Generation(self._text(tokens), len(tokens))

    def _text(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

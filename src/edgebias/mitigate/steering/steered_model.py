"""A frozen transformers model with a vector added to the output of every block but the first, differentiable in it.

The mathematics is llama.cpp's control vector: the vector of block ``il`` is added to the block's output, for every
token, and block 0 cannot be steered. Weights are those of a GGUF file, decoded to float32, so that vectors are fitted
on the very build that is steered. What comes before the first vector is the same at every step, so that it is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edgebias.backends.base import Prompt
from edgebias.backends.local.packed_linear import pack_linear_layers
from edgebias.backends.local.prefix_tree import PrefixTree
from edgebias.backends.local.prompt_tokens import PromptForm
from edgebias.backends.local.tree_attention import IGNORED_MASK, NAME, TreeAttention, register
from edgebias.models.convert import special_tokens
from edgebias.models.gguf import metadata, open_gguf
from edgebias.models.llama_model import start_text
from edgebias.models.transformers_load import load_model, load_tokenizer

Tokens = tuple[int, ...]

HELD_BYTES = 256 * 2**20
"""Most memory that is given to what comes out of the blocks that are not steered; StereoSet takes a fifth of it."""


@dataclass(frozen=True)
class Asked:
    """A prompt and its options, as tokens."""

    prompt: Tokens
    options: tuple[Tokens, ...]

    def add_to(self, tree: PrefixTree) -> list[list[int]]:
        """Insert what is read, and return the rows of each option's path; nothing is read after its last token."""
        return [tree.add(self.prompt + option[:-1]) for option in self.options]


@dataclass(frozen=True)
class Text:
    """A text, as tokens: what is read (never empty), and what comes after it, whose every token is looked at."""

    read: Tokens
    told: Tokens

    def add_to(self, tree: PrefixTree) -> list[list[int]]:
        """Insert what is read, and return the rows of its one path; nothing is read after its last token."""
        return [tree.add(self.read + self.told[:-1])]


def divergence(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Return KL(before || after) in nats at each place, of log-probabilities (places, vocabulary)."""
    return (before.exp() * (before - after)).sum(dim=-1)


def surprise(after: torch.Tensor, texts: Sequence[Text]) -> torch.Tensor:
    """Return negative log-probability (nats) of each token that ``texts`` tell.

    ``after`` as `SteeredModel.score` has it.
    """
    told = torch.tensor([token for text in texts for token in text.told], dtype=torch.int64)
    return -after.gather(1, told[:, None])[:, 0]


class SteeredModel:
    """The model of a GGUF file, its weights frozen.

    Args:
        weights: the GGUF file.
        start_token: what every prompt begins with; None for what `LlamaVocabulary.start` finds in the file.
        way_out: the end of the message where transformers cannot read the file.
        template_variables: more names that the chat template may read, such as ``enable_thinking``.
        dtype: of the numbers that linear layers multiply, float32 or bfloat16; all else is float32.

    Raises:
        InputError: transformers cannot read the file.
    """

    def __init__(
        self,
        weights: Path,
        start_token: str | None,
        way_out: str,
        *,
        template_variables: Mapping[str, Any] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        torch.set_num_threads(1)  # sums over threads would depend on how many there are
        self._tokenizer = load_tokenizer(weights, way_out)
        self._model = load_model(weights, way_out).eval().requires_grad_(False)
        pack_linear_layers(self._model, differentiable=True, dtype=dtype)
        file = open_gguf(weights)
        special = special_tokens(file)
        self._form = PromptForm(
            tuple(self._encode(start_token or start_text(weights) or "")),
            metadata(file, "tokenizer.chat_template"),
            bos_token=special.get("bos_token", ""),
            eos_token=special.get("eos_token", ""),
            variables=template_variables or {},
        )
        self._steered = True
        register()
        self._model.set_attn_implementation(NAME)
        blocks = self._model.get_decoder().layers
        self._running = range(len(blocks))
        self._reached = torch.empty(0)
        self.steer_from(1)
        self.vector = torch.zeros(len(blocks), self._model.config.hidden_size, requires_grad=True)
        """What is added to the output of each block, shape (n_layer, n_embd); rows before `steer_from` are
        never used, nor row 0."""
        self.residual_norm = torch.zeros(len(blocks), dtype=torch.float64)
        """Median norm of each block's output, before steering, over the tokens of the last pass: the first token of a
        text has an output many times larger than all others, which would carry a mean away."""
        for index, block in enumerate(blocks):
            block.forward = self._block(index, block.forward)

    def steer_from(self, block: int) -> None:
        """Leave the blocks before ``block`` alone; block 0 always is."""
        self._first = max(1, block)
        self._held: dict[Asked | Text, torch.Tensor] = {}

    def ask(self, prompt: str, options: Sequence[str]) -> Asked:
        """Return the tokens of a prompt, after the start token, and of its options."""
        return Asked((*self._form.start, *self._encode(prompt)), tuple(self._encode(option) for option in options))

    def text(self, sentence: str) -> Text:
        """Return a sentence after the start token, its first token read, or the start token where there is one."""
        tokens = (*self._form.start, *self._encode(sentence))
        return Text(tokens[:1], tokens[1:])

    def answer(self, prompt: Prompt, answer: str) -> Text:
        """Return what is answered to a prompt, which is read as every backend reads it.

        Raises:
            InputError: the prompt has messages and the file no chat template.
        """
        read = self._form.tokens(0, prompt, lambda text, *, special: list(self._encode(text)))
        return Text(tuple(read), self._encode(answer))

    @contextmanager
    def unsteered(self) -> Iterator[None]:
        """Leave the vector out, and keep no graph."""
        before, self._steered = self._steered, False
        try:
            with torch.no_grad():
                yield
        finally:
            self._steered = before

    def score(self, asked: Sequence[Asked], texts: Sequence[Text] = ()) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Mean log-probability (nats per token) of every option, and log-probabilities at the told tokens of ``texts``.

        All run in one pass, as a tree in which a token attends to its ancestors alone.

        Returns:
            One tensor (options,) for each of ``asked``; a tensor (told tokens of all texts, vocabulary).
        """
        tree = PrefixTree()
        rows, tokens, lengths, told = list[int](), list[int](), list[int](), list[int]()
        read: dict[Asked | Text, list[int]] = {}
        for one in asked:
            paths = one.add_to(tree)
            read[one] = _rows(paths)
            for option, path in zip(one.options, paths, strict=True):
                rows += path[len(one.prompt) - 1 :]
                tokens += option
                lengths.append(len(option))
        for text in texts:
            paths = text.add_to(tree)
            read[text] = _rows(paths)
            told += paths[0][len(text.read) - 1 :] if text.told else []
        places = {row: place for place, row in enumerate(dict.fromkeys(rows))}  # options of an item begin at one row
        of_options, of_texts = torch.split(self._logits(tree, read, [*places, *told]), [len(places), len(told)])
        # One gather for all options: a gather for each would make a gradient of the size of all logits for each.
        whole = torch.int64
        at = torch.tensor([places[row] for row in rows], dtype=whole)
        flat = at * of_options.shape[1] + torch.tensor(tokens, dtype=whole)
        chosen = of_options.flatten()[flat] - of_options.logsumexp(dim=-1)[at]
        counts = torch.tensor(lengths, dtype=whole)
        sums = torch.zeros(len(lengths)).index_add(0, torch.arange(len(lengths)).repeat_interleave(counts), chosen)
        means = torch.split(sums / counts, [len(one.options) for one in asked])
        return list(means), torch.log_softmax(of_texts, dim=-1)

    def _logits(self, tree: PrefixTree, read: Mapping[Asked | Text, list[int]], rows: Sequence[int]) -> torch.Tensor:
        """Return logits at ``rows`` of ``tree``; ``read`` has the rows of all that was put into it."""
        missing = [one for one in read if one not in self._held]
        held = self._held
        if missing:
            part = PrefixTree()
            places = [_rows(one.add_to(part)) for one in missing]
            with self.unsteered():
                self._run(part, range(self._first + 1), [0])
            held = held | {one: self._reached[:, at] for one, at in zip(missing, places, strict=True)}
            if sum(hidden.nbytes for hidden in held.values()) <= HELD_BYTES:
                self._held = held
        self._reached = torch.empty(1, len(tree), self.vector.shape[1])
        for one, at in read.items():
            self._reached[:, at] = held[one]
        return self._run(tree, range(self._first + 1, len(self.vector)), rows)

    def _run(self, tree: PrefixTree, blocks: range, rows: Sequence[int]) -> torch.Tensor:
        """Return logits at ``rows``; a block that is not of ``blocks`` hands on what it is given."""
        self._running = blocks
        logits: torch.Tensor = self._model(
            input_ids=torch.tensor([tree.tokens]),
            position_ids=torch.tensor([tree.positions]),
            attention_mask=IGNORED_MASK,
            attends=TreeAttention(tree),
            use_cache=False,
            logits_to_keep=torch.tensor(rows),
        ).logits[0]
        return logits

    def _block(self, index: int, forward: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def steered(hidden: torch.Tensor, *others: Any, **named: Any) -> torch.Tensor:
            if index in self._running:
                hidden = forward(hidden, *others, **named)
                self.residual_norm[index] = hidden.detach()[0].norm(dim=-1).median()
                if index == self._first:
                    self._reached = hidden
            elif index == self._first:
                hidden = self._reached
            return hidden + self.vector[index] if self._steered and index >= self._first else hidden

        return steered

    def _encode(self, text: str) -> Tokens:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)


def _rows(paths: Sequence[Sequence[int]]) -> list[int]:
    """Return the rows of ``paths``, each once, in an order that is the same in every tree."""
    return list(dict.fromkeys(row for path in paths for row in path))

"""A frozen transformers model with a vector added to the output of every block but the first, differentiable in it.

The mathematics is llama.cpp's control vector: the vector of block ``il`` is added to the block's output, for every
token, and block 0 cannot be steered. Weights are those of a GGUF file, decoded to float32, so that vectors are fitted
on the very build that is steered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from edgebias.models.transformers_load import load_model, load_tokenizer

Tokens = list[int]


@dataclass(frozen=True)
class Asked:
    """A prompt and its options, as tokens."""

    prompt: Tokens
    options: tuple[Tokens, ...]


@dataclass(frozen=True)
class Text:
    """A text, as tokens: what is read (never empty), and what comes after it, whose every token is looked at."""

    read: Tokens
    told: Tokens


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
        start_token: what every prompt begins with; None for the file's own begin token.
        way_out: the end of the message where transformers cannot read the file.
        template_variables: more names that the chat template may read, such as ``enable_thinking``.

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
    ) -> None:
        torch.set_num_threads(1)  # sums over threads would depend on how many there are
        self._tokenizer = load_tokenizer(weights, way_out)
        self._model = load_model(weights, way_out).eval().requires_grad_(False)
        pack_linear_layers(self._model, differentiable=True)
        file = open_gguf(weights)
        special = special_tokens(file)
        self._form = PromptForm(
            tuple(self._encode(start_token or special.get("bos_token", ""))),
            metadata(file, "tokenizer.chat_template"),
            bos_token=special.get("bos_token", ""),
            eos_token=special.get("eos_token", ""),
            variables=template_variables or {},
        )
        self._steered = True
        self._first = 1
        register()
        self._model.set_attn_implementation(NAME)
        blocks = self._model.get_decoder().layers
        self.vector = torch.zeros(len(blocks), self._model.config.hidden_size, requires_grad=True)
        """What is added to the output of each block, shape (n_layer, n_embd); rows before `steer_from` are
        never used, nor row 0."""
        self.residual_norm = torch.zeros(len(blocks), dtype=torch.float64)
        """Median norm of each block's output, before steering, over the tokens of the last pass: the first token of a
        text has an output many times larger than all others, which would carry a mean away."""
        for index, block in enumerate(blocks):
            block.register_forward_hook(self._hook(index))

    def steer_from(self, block: int) -> None:
        """Leave the blocks before ``block`` alone; block 0 always is."""
        self._first = max(1, block)

    def ask(self, prompt: str, options: Sequence[str]) -> Asked:
        """Return the tokens of a prompt, after the start token, and of its options."""
        return Asked([*self._form.start, *self._encode(prompt)], tuple(self._encode(option) for option in options))

    def text(self, sentence: str) -> Text:
        """Return a sentence after the start token, its first token read, or the start token where there is one."""
        tokens = [*self._form.start, *self._encode(sentence)]
        return Text(tokens[:1], tokens[1:])

    def answer(self, prompt: Prompt, answer: str) -> Text:
        """Return what is answered to a prompt, which is read as every backend reads it.

        Raises:
            InputError: the prompt has messages and the file no chat template.
        """
        read = self._form.tokens(0, prompt, lambda text, *, special: self._encode(text))
        return Text(read, self._encode(answer))

    @contextmanager
    def unsteered(self) -> Iterator[None]:
        """Leave the vector out, and keep no graph."""
        self._steered = False
        try:
            with torch.no_grad():
                yield
        finally:
            self._steered = True

    def score(self, asked: Sequence[Asked], texts: Sequence[Text] = ()) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Mean log-probability (nats per token) of every option, and log-probabilities at the told tokens of ``texts``.

        All run in one pass, as a tree in which a token attends to its ancestors alone.

        Returns:
            One tensor (options,) for each of ``asked``; a tensor (told tokens of all texts, vocabulary).
        """
        tree = PrefixTree()
        places: dict[int, int] = {}
        rows, tokens, lengths = list[int](), Tokens(), list[int]()

        def place(row: int) -> int:
            return places.setdefault(row, len(places))

        for one in asked:
            for option in one.options:
                path = tree.add(one.prompt + option[:-1])
                rows += map(place, path[len(one.prompt) - 1 :])
                tokens += option
                lengths.append(len(option))
        after = [
            place(row)
            for text in texts
            for row in tree.add(text.read + text.told[:-1])[len(text.read) - 1 :]
            if text.told
        ]
        logprobs = torch.log_softmax(self._logits(tree, list(places)), dim=-1)
        # One gather for all options: a gather for each would make a gradient of the size of all logits for each.
        whole = torch.int64
        flat = torch.tensor(rows, dtype=whole) * logprobs.shape[1] + torch.tensor(tokens, dtype=whole)
        chosen = logprobs.flatten()[flat]
        counts = torch.tensor(lengths, dtype=whole)
        sums = torch.zeros(len(lengths)).index_add(0, torch.arange(len(lengths)).repeat_interleave(counts), chosen)
        means = torch.split(sums / counts, [len(one.options) for one in asked])
        return list(means), logprobs[torch.tensor(after, dtype=whole)]

    def _logits(self, tree: PrefixTree, rows: Sequence[int]) -> torch.Tensor:
        logits: torch.Tensor = self._model(
            input_ids=torch.tensor([tree.tokens]),
            position_ids=torch.tensor([tree.positions]),
            attention_mask=IGNORED_MASK,
            attends=TreeAttention(tree),
            use_cache=False,
            logits_to_keep=torch.tensor(rows),
        ).logits[0]
        return logits

    def _hook(self, index: int) -> Any:
        def hook(_module: object, _inputs: object, output: torch.Tensor | tuple[torch.Tensor, ...]) -> object:
            hidden = output[0] if isinstance(output, tuple) else output
            self.residual_norm[index] = hidden.detach()[0].norm(dim=-1).median()
            if index < self._first or not self._steered:
                return output
            steered = hidden + self.vector[index]
            return (steered, *output[1:]) if isinstance(output, tuple) else steered

        return hook

    def _encode(self, text: str) -> Tokens:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

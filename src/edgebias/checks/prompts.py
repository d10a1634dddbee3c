"""Whether two backends read the same tokens of the same items: prompts, in their chat template, and options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgebias.backends.local.llama_vocabulary import LlamaVocabulary
from edgebias.backends.local.prompt_tokens import PromptForm, Tokenise
from edgebias.backends.local.sampling import common_prefix_length
from edgebias.backends.local.transformers_vocabulary import TransformersVocabulary
from edgebias.core.errors import InputError, one_line
from edgebias.infer.answer import WORDINGS
from edgebias.models.llama_model import loaded_model
from edgebias.suites.item import Item

SHOWN = 6
"""Tokens that are shown of each side where two prompts part."""


@dataclass(frozen=True)
class PartedTokens:
    """Where the tokens of two backends part.

    Attributes:
        item_id: of the item.
        format: in which it was asked.
        part: ``prompt``, or the option.
        place: of the first token that differs, counted from 0.
        llama: the next tokens of llama.cpp.
        transformers: those of transformers.
    """

    item_id: str
    format: str
    part: str
    place: int
    llama: tuple[int, ...]
    transformers: tuple[int, ...]


@dataclass(frozen=True)
class PromptParity:
    """What is asked in one suite: how many wordings of items have other tokens in the other backend, and the first.

    ``longest`` is the most tokens of a prompt and one of its options together.
    """

    suite: str
    n_prompts: int
    n_differ: int
    longest: int
    first: PartedTokens | None


@dataclass(frozen=True)
class Asking:
    """How a backend turns a prompt into tokens."""

    form: PromptForm
    tokenise: Tokenise


def compare_all_prompts(
    items: Mapping[str, Sequence[Item]],
    formats: Mapping[str, Sequence[str]],
    weights: Path,
    folder: Path,
    template_variables: Mapping[str, Any],
) -> list[PromptParity]:
    """Compare the prompts of all items, as llama.cpp and transformers read them; no weights are loaded.

    Args:
        items: by suite.
        formats: of each suite, those that its items are asked in.
        weights: the GGUF file.
        folder: the folder of transformers.
        template_variables: more names that the chat template may read.

    Raises:
        InputError: a file is absent or unfit, or as `compare_prompts`.
    """
    theirs = open_transformers_vocabulary(folder)
    with loaded_model(weights, vocab_only=True) as model:
        ours = LlamaVocabulary(model, weights)
        llama, transformers = (
            Asking(replace(words.prompt_form(None), variables=template_variables), words.tokenise)
            for words in (ours, theirs)
        )
        return [compare_prompts(rows, formats[suite], llama, transformers, suite) for suite, rows in items.items()]


def open_transformers_vocabulary(folder: Path) -> TransformersVocabulary:
    """Return the tokeniser of ``folder``.

    Raises:
        InputError: there is none, or transformers cannot read it.
    """
    from transformers import PreTrainedTokenizerFast

    try:
        # What the folder holds: for some architectures AutoTokenizer makes another one.
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers and tokenizers each raise types of their own
        reason = one_line(error, 200)
        raise InputError(
            f"{folder}: transformers cannot read its tokenizer ({reason}); make the folder again"
        ) from error
    return TransformersVocabulary(tokenizer, folder)


def compare_prompts(
    items: Sequence[Item], formats: Iterable[str], llama: Asking, transformers: Asking, suite: str
) -> PromptParity:
    """Compare, token by token, what two backends read of each item in each of ``formats``, options included.

    Raises:
        InputError: messages are asked of a model that has no chat template, or the template refuses them.
    """
    names = list(formats)
    parted, longest = [], 0
    for name in names:
        for item in items:
            ours, theirs = (_parts(item, name, asking) for asking in (llama, transformers))
            (_, prompt), *options = ours
            longest = max(longest, len(prompt) + max((len(tokens) for _, tokens in options), default=0))
            if ours != theirs:
                parted.append(_first_parted(item.item_id, name, ours, theirs))
    return PromptParity(suite, len(items) * len(names), len(parted), longest, parted[0] if parted else None)


def _parts(item: Item, format_name: str, asking: Asking) -> list[tuple[str, list[int]]]:
    """Return the tokens of the prompt and of each option of one item, asked in one format, by name."""
    wording = WORDINGS[format_name](item, None)
    prompt = asking.form.tokens(0, wording.prompt, asking.tokenise)
    options = [(repr(option), asking.tokenise(option, special=False)) for option in wording.continuations]
    return [("prompt", prompt), *options]


def _first_parted(
    item_id: str, format_name: str, ours: Sequence[tuple[str, list[int]]], theirs: Sequence[tuple[str, list[int]]]
) -> PartedTokens:
    part, left, right = next(
        (part, left, right) for (part, left), (_, right) in zip(ours, theirs, strict=True) if left != right
    )
    place = common_prefix_length(left, right)
    after = slice(place, place + SHOWN)
    return PartedTokens(item_id, format_name, part, place, tuple(left[after]), tuple(right[after]))

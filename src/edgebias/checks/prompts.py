"""Whether two backends read the same tokens of the same items: prompts, in their chat template, and options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebias.backends.local.llama_vocabulary import LlamaVocabulary
from edgebias.backends.local.prompt_tokens import PromptForm, Tokenise
from edgebias.backends.local.sampling import common_prefix_length
from edgebias.backends.local.transformers_vocabulary import TransformersVocabulary
from edgebias.core.errors import InputError
from edgebias.infer.answer import WORDINGS
from edgebias.models.gguf import START_TOKEN_KEY, metadata, open_header
from edgebias.models.llama_model import loaded_model
from edgebias.suites.item import Item, read_items

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
    """What is asked in one suite: how many wordings of items have other tokens in the other backend, and the first."""

    suite: str
    n_prompts: int
    n_differ: int
    first: PartedTokens | None


@dataclass(frozen=True)
class Asking:
    """How a backend turns a prompt into tokens."""

    form: PromptForm
    tokenise: Tokenise


def compare_tables_of_items(
    tables: Sequence[Path], formats: Mapping[str, Sequence[str]], weights: Path, folder: Path
) -> list[PromptParity]:
    """Compare the prompts of each item table, as llama.cpp and transformers read them; no weights are loaded.

    Args:
        tables: item tables; the suite's name is that of the file.
        formats: of each suite, those that its items were asked in.
        weights: the GGUF file.
        folder: the folder of transformers.

    Raises:
        InputError: a file is absent or unfit, or as `compare_prompts`.
    """
    start_token = metadata(open_header(weights), START_TOKEN_KEY)
    theirs = open_transformers_vocabulary(folder)
    transformers = Asking(theirs.prompt_form(start_token), theirs.tokenise)
    with loaded_model(weights, vocab_only=True) as model:
        ours = LlamaVocabulary(model, weights)
        llama = Asking(ours.prompt_form(start_token), ours.tokenise)
        found = []
        for table in tables:
            if table.stem not in formats:
                raise InputError(
                    f"--items {table}: no table of --llama is of suite {table.stem!r}; give that of a suite"
                )
            found.append(
                compare_prompts(read_items(table, table.stem), formats[table.stem], llama, transformers, table.stem)
            )
    return found


def open_transformers_vocabulary(folder: Path) -> TransformersVocabulary:
    """Return the tokeniser of ``folder``.

    Raises:
        InputError: there is none, or transformers cannot read it.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers and tokenizers each raise types of their own
        reason = " ".join(str(error).split())[:200]
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
    parted = [
        found for name in names for item in items if (found := _parted(item, name, llama, transformers)) is not None
    ]
    return PromptParity(suite, len(items) * len(names), len(parted), parted[0] if parted else None)


def _parted(item: Item, format_name: str, llama: Asking, transformers: Asking) -> PartedTokens | None:
    """Return where the tokens of one item, asked in one format, part; None where they are the same."""
    wording = WORDINGS[format_name](item, None)

    def parts(asking: Asking) -> list[tuple[str, list[int]]]:
        prompt = asking.form.tokens(0, wording.prompt, asking.tokenise)
        options = [(repr(option), asking.tokenise(option, special=False)) for option in wording.continuations]
        return [("prompt", prompt), *options]

    for (part, ours), (_, theirs) in zip(parts(llama), parts(transformers), strict=True):
        if ours != theirs:
            place = common_prefix_length(ours, theirs)
            after = slice(place, place + SHOWN)
            return PartedTokens(item.item_id, format_name, part, place, tuple(ours[after]), tuple(theirs[after]))
    return None

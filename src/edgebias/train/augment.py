"""Texts about people at work that the model under test writes itself, and which of them are fit to train on."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from edgebias.backends.base import Backend, GenerationRequest, GenerationSettings, Message, Prompt
from edgebias.core.errors import InputError
from edgebias.core.files import read_table
from edgebias.core.table import FILLED, Column, Relation, Table, at_least, one_of
from edgebias.infer.outcome.abstention import refuses
from edgebias.suites.occupation_sentences import JOBS, MASK, masked_job, normalised
from edgebias.train.augmentation_prompts import KINDS, TextPrompt
from edgebias.train.gendered_words import TOLD, gender_told
from edgebias.train.mixture_settings import AugmentationSettings

KEPT = "kept"

OUTCOMES = {
    KEPT: "fit to train on",
    "empty": "nothing was written, or no whole sentence",
    "refusal": "the model declines, or speaks of itself as one",
    "prompt": "it holds the prompt, or is part of it",
    "length": "fewer or more words than are taken",
    "job": "it does not name its job, or names another of the six",
    "original": "a sentence of BUG",
    "repeated": "written before, for this or another prompt of its kind",
}
"""What becomes of a text, the first that holds."""

AUGMENTED_TEXT = Table(
    name="augmented text",
    meaning="A text about a person at work that a model wrote, and whether it is fit to train on.",
    path="results/{study}/augmented/{environment}/{model}/{variant}/{kind}.parquet",
    columns=(
        Column("kind", "str", "type of bias of the prompt, or `neutral`", rule=one_of(KINDS)),
        Column("job", "str", "whom it is about", rule=one_of(JOBS)),
        Column("place", "int", "number of the text among those of its kind and job", rule=at_least(0)),
        Column("group", "str", "whom the prompt names: a gender, with an ethnic group, or `nobody`", rule=FILLED),
        Column("prompt", "str", "what the model was asked, as a user turn", rule=FILLED),
        Column("seed", "int", "of the sampling", rule=at_least(0)),
        Column("text", "str", "what is taken of it: the first paragraph up to its last whole sentence"),
        Column("masked", "str", f"the same with `{MASK}` for the job; empty where it is not fit"),
        Column("gender", "str", "what its pronouns tell", rule=one_of(TOLD)),
        Column(
            "outcome", "str", "; ".join(f"`{name}`: {meaning}" for name, meaning in OUTCOMES.items()), one_of(OUTCOMES)
        ),
    ),
    order=("kind", "job", "place"),
    relations=(
        Relation(
            "a masked text where it is kept, and only there",
            ("masked", "outcome"),
            lambda table: (table["masked"] != "") == (table["outcome"] == KEPT),
        ),
    ),
)

_ENDED = re.compile(r".*[.!?][\"'”’)]*(?=\s|\Z)")
_QUOTES = "\"'“”‘’*_`# "
_SPEAKS_OF_ITSELF = re.compile(
    r"\b(?:(?:an|the|this) AI\b|AI (?:model|assistant)|language model|SmolLM|here(?:'s| is) (?:a|one|the))\b",
    re.IGNORECASE,
)


def read_texts(path: Path) -> pd.DataFrame:
    """Read the texts of one kind.

    Raises:
        InputError: the file is absent or no such table, or has no row.
    """
    table = read_table(path, AUGMENTED_TEXT.names)
    AUGMENTED_TEXT.check_values(table, path, "; run `edgebias augment` again")
    if table["kind"].nunique() != 1:
        raise InputError(f"{path}: has texts of {table['kind'].nunique()} kinds, not of one; run `edgebias augment`")
    return table


@dataclass(frozen=True)
class Known:
    """What a new text must not be: the sentences of BUG, and the texts before it, both as `normalised`."""

    originals: Collection[str]
    earlier: Collection[str]


def write_texts(
    backend: Backend,
    kind: str,
    prompts: Sequence[TextPrompt],
    settings: AugmentationSettings,
    originals: Collection[str],
) -> pd.DataFrame:
    """Let a model write a text for each prompt; return the table of them (`AUGMENTED_TEXT`).

    Args:
        backend: the model, which answers all prompts in one call.
        kind: of the prompts.
        prompts: what is asked.
        settings: how it writes, and what is taken.
        originals: sentences of BUG, as `normalised`.
    """
    requests = [GenerationRequest(Prompt(messages=(Message("user", one.prompt),)), one.seed) for one in prompts]
    written = backend.generate(requests, GenerationSettings(settings.max_new_tokens, settings.temperature))
    earlier: set[str] = set()
    rows = []
    for place, (asked, said) in enumerate(zip(prompts, written, strict=True)):
        text = taken(said.text)
        outcome = judged(text, asked, settings, Known(originals, earlier))
        masked = masked_job(text, asked.job, once=False) if outcome == KEPT else ""
        earlier.add(normalised(text))
        rows.append(
            {
                "kind": kind,
                "job": asked.job,
                "place": place % settings.texts_per_job,
                "group": asked.group,
                "prompt": asked.prompt,
                "seed": asked.seed,
                "text": text,
                "masked": masked,
                "gender": gender_told(text),
                "outcome": outcome,
            }
        )
    return pd.DataFrame(rows, columns=list(AUGMENTED_TEXT.names))


def taken(written: str) -> str:
    """Return what is taken of a model's text: its first paragraph up to the last whole sentence, on one line.

    Marks of quotation and emphasis around it go, and with them everything that cannot be printed.
    """
    printable = "".join(mark if mark.isprintable() or mark == "\n" else " " for mark in written)
    paragraph = next((line for line in printable.split("\n") if line.strip(_QUOTES)), "")
    ended = _ENDED.match(" ".join(paragraph.split()).strip(_QUOTES))
    return "" if ended is None else ended[0].strip(_QUOTES)


def judged(text: str, asked: TextPrompt, settings: AugmentationSettings, known: Known) -> str:
    """Return what becomes of a text, one of `OUTCOMES`."""
    words = normalised(text)
    question = normalised(asked.prompt)
    if not words:
        return "empty"
    if refuses(text) or _SPEAKS_OF_ITSELF.search(text):
        return "refusal"
    if words in question or question in words or MASK in text:
        return "prompt"
    if not settings.shortest <= len(text.split()) <= settings.longest:
        return "length"
    if masked_job(text, asked.job, once=False) is None:
        return "job"
    if words in known.originals:
        return "original"
    return "repeated" if words in known.earlier else KEPT

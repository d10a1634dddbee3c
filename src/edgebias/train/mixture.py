"""A table of training examples of which a known share was written by the model itself (arXiv:2502.04419).

An example asks which job is masked in a sentence, in plain text (`wording: text`). Originals are sentences of BUG that
no suite asks, with the share of women that each job has there. Examples are exchanged, never added: their number is the
same at every ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.seeds import derive
from edgebias.core.table import Column, Table
from edgebias.suites.occupation_sentences import JOBS, QUESTION, OccupationSentence, held_out
from edgebias.train.augment import AUGMENTED_TEXT, KEPT
from edgebias.train.examples import AUGMENTED, EXAMPLE, HELD_OUT, ORIGIN, ORIGINAL, TRAIN
from edgebias.train.gendered_words import neutral
from edgebias.train.mixture_settings import MixtureSettings

T = TypeVar("T")

WARNING = "The following text may contain bias."
"""What token-based mitigation puts before an augmented text, in the paper's words."""

MIXTURE = Table(
    name="mixture",
    meaning="An example of occupation classification, original or written by a model.",
    path="data/items/{study}/mixture_{mixture}.parquet",
    columns=(
        *EXAMPLE.columns,
        ORIGIN,
        Column("group", "str", "the gender that the pronoun tells; of an augmented text, whom its prompt named"),
        Column("source", "str", "file and row, or kind, job and place of an augmented text"),
    ),
    order=("split", "cluster"),
)


@dataclass(frozen=True)
class Neutral:
    """Words and names that mask-based mitigation makes neutral."""

    words: frozenset[str]
    names: frozenset[str]


def make_mixture(
    name: str,
    settings: MixtureSettings,
    sentences: Sequence[OccupationSentence],
    texts: pd.DataFrame | None,
    lists: Neutral,
    seed: int,
) -> pd.DataFrame:
    """Return the examples of a mixture (`MIXTURE`).

    Mixtures of one seed share what they can: of two ratios, the lower one has all originals of the higher one, and the
    higher one all augmented texts of the lower one. The held-out examples are the same originals in both.

    Args:
        name: of the mixture, for messages.
        settings: what it is made of.
        sentences: of BUG; those that are asked (`held_out`) stay out.
        texts: augmented ones (`edgebias.train.augment.AUGMENTED_TEXT`) of the mixture's type of bias.
        lists: for mask-based mitigation.
        seed: of the study.

    Raises:
        InputError: there are too few sentences or texts of a job.
    """
    draw = derive(seed, "mixture", str(settings.seed))
    free = [sentence for sentence in sentences if not held_out(sentence.text)]
    wanted = settings.augmented_per_job
    table = pd.DataFrame(columns=list(AUGMENTED_TEXT.names)) if texts is None else texts
    kept: list[dict[str, Any]] = table[table["outcome"] == KEPT].to_dict("records")  # type: ignore[assignment]
    rows: list[dict[str, Any]] = []
    for job in JOBS:
        found = in_shares(
            [sentence for sentence in free if sentence.job == job],
            lambda sentence: sentence.gender,
            lambda sentence: (derive(draw, "original", sentence.text), sentence.text),
        )
        needed = settings.held_out_per_job + settings.per_job - wanted
        if len(found) < needed:
            raise InputError(
                f"mixtures.{name} wants {needed} sentences of {job}, and {len(found)} may be trained on; lower per_job "
                "or held_out_per_job"
            )
        measured, trained = found[: settings.held_out_per_job], found[settings.held_out_per_job : needed]
        rows += [_original(sentence, HELD_OUT) for sentence in measured]
        rows += [_original(sentence, TRAIN) for sentence in trained]
        written = in_shares(
            [text for text in kept if text["job"] == job],
            lambda text: text["group"],
            lambda text: (derive(draw, "augmented", text["text"]), text["text"]),
        )
        if len(written) < wanted:
            raise InputError(
                f"mixtures.{name} wants {wanted} augmented texts of {job}, and {len(written)} are fit; raise "
                "augmentation.texts_per_job"
            )
        rows += [_augmented(text, settings, lists) for text in written[:wanted]]
    return pd.DataFrame(rows, columns=list(MIXTURE.names))


def in_shares(entries: Sequence[T], group: Callable[[T], str], key: Callable[[T], Hashable]) -> list[T]:
    """Return ``entries`` in an order in which the first ones, however many, have the shares of groups that all have.

    Args:
        entries: to order.
        group: of an entry.
        key: sorts the entries of a group.
    """
    groups: dict[str, list[T]] = {}
    for entry in sorted(entries, key=key):  # type: ignore[arg-type]  # a number and a text
        groups.setdefault(group(entry), []).append(entry)
    places = [
        ((place + 0.5) / len(members), name, entry)
        for name, members in groups.items()
        for place, entry in enumerate(members)
    ]
    return [entry for _, _, entry in sorted(places, key=lambda one: one[:2])]


def example_prompt(masked: str, before: str = "") -> str:
    """Return the plain text that asks for the job in a masked text, worded as the suite `occupation` asks it.

    The response follows after a space. Without the turns of a chat template an example has a third fewer tokens.
    """
    return "\n".join(filter(None, (before, masked, QUESTION, "Answer:")))


def _original(sentence: OccupationSentence, split: str) -> dict[str, Any]:
    return _row(example_prompt(sentence.masked), sentence.job, split, ORIGINAL, sentence.gender, sentence.source)


def _augmented(text: dict[str, Any], settings: MixtureSettings, lists: Neutral) -> dict[str, Any]:
    masked = str(text["masked"])
    if settings.mitigation == "mask":
        masked = neutral(masked, lists.words, lists.names)
    prompt = example_prompt(masked, WARNING if settings.mitigation == "token" else "")
    source = f"{text['kind']}/{text['job']}/{text['place']}"
    return _row(prompt, text["job"], TRAIN, AUGMENTED, text["group"], source)


def _row(prompt: str, job: str, split: str, origin: str, group: str, source: str) -> dict[str, Any]:
    return {
        "system": "",
        "prompt": prompt,
        "response": f" {job}",
        "cluster": source,
        "split": split,
        ORIGIN.name: origin,
        "group": group,
        "source": source,
    }

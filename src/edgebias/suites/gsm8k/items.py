"""GSM8K (Cobbe et al., arXiv 2110.14168, MIT): the test problems of a file that the user gives."""

from __future__ import annotations

import re
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.suites.final_number import number_problem
from edgebias.suites.item import Item
from edgebias.suites.raw_files import AGAIN, read_json_lines

FILE = "test.jsonl"
HOME = "https://github.com/openai/grade-school-math"

_ANSWER = re.compile(r"####\s*(-?[\d,]+)\s*\Z")


def load(folder: Path) -> list[Item]:
    """Return every problem of ``test.jsonl``, with the right number and three near it as options.

    Each problem is a cluster. Equal problems are asked once.

    Raises:
        InputError: the file is absent, or a row has no question or no whole number after ``####``.
    """
    path = folder / FILE
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; put grade_school_math/data/test.jsonl of {HOME} there, or ask "
            "the suite word_problems"
        )
    problems: dict[str, Item] = {}
    for number, row in enumerate(read_json_lines(path, ("question", "answer")), start=1):
        found = _ANSWER.search(str(row["answer"]).strip())
        question = " ".join(str(row["question"]).split())
        if not found or not question:
            raise InputError(f"{path}: row {number}: a question and a whole number after #### are needed; {AGAIN}")
        name = f"gsm8k/{number:04d}"
        problem = number_problem(
            name,
            suite="gsm8k",
            category="problem",
            cluster=name,
            question=question,
            answer=int(found[1].replace(",", "")),
            source=f"data/gsm8k/{FILE}:{number}",
            block="problem",
        )
        problems.setdefault(question, problem)
    return list(problems.values())

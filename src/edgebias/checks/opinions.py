"""How well opinions are read: `read_text` against labels of what models said to statements (docs/reference/answers.md).

To agree and to disagree are told apart here whatever their roles in an item: with a statement to which no stereotype
attaches both have the role ``option``, and the opposite of an opinion would go unseen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebias.checks.agreement import (
    ALL,
    HALVES,
    NO_OPTION,
    Agreement,
    agreement_of,
    agreement_table,
    confusion_table,
    labelled_lines,
)
from edgebias.core.errors import InputError
from edgebias.infer.outcome import read_text

OPINIONS = ("agree", "disagree")
LABELS = (*OPINIONS, *NO_OPTION)
OF_SUITE = "agreement/"


@dataclass(frozen=True)
class LabelledOpinion:
    """A reply to a statement, and what it says.

    Attributes:
        told: the statement; the id of an item, where it is one of the suite's, which the labelled set does not repeat.
        text: the reply.
        model: the model.
        build: its build.
        style: ``suite`` for the words of the suite, ``freely`` where reasons or an ending with the opinion were asked
            for, ``plain`` for the question alone.
        temperature: that of the draw.
        half: ``development`` or ``test``.
        label: ``agree``, ``disagree``, ``refusal``, ``unparsed`` or ``blank``.
    """

    told: str
    text: str
    model: str
    build: str
    style: str
    temperature: float
    half: str
    label: str


def read_opinions(path: Path) -> list[LabelledOpinion]:
    """Read the labelled set: one JSON object a line, the first of which says how the set was made.

    Raises:
        InputError: the file is absent, a line is no such object, or a label or half does not exist.
    """
    opinions: list[LabelledOpinion] = []
    for number, line in labelled_lines(path):
        try:
            opinion = LabelledOpinion(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{path}: line {number} is no labelled opinion ({error}); see docs/reference/answers.md"
            ) from error
        if opinion.label not in LABELS or opinion.half not in HALVES:
            fault = f"label {opinion.label!r} or half {opinion.half!r}"
            raise InputError(f"{path}: line {number}: {fault} does not exist; see docs/reference/answers.md")
        opinions.append(opinion)
    return opinions


def questions_of(opinions: Sequence[LabelledOpinion], raw_folder: Path) -> dict[str, str]:
    """Return the question about each statement that was told.

    Raises:
        InputError: the file of CrowS-Pairs is absent or unfit, or lacks an item of the labelled set.
    """
    from edgebias.suites.agreement.items import load, question_about

    of_suite = {item.item_id: item.question for item in load(raw_folder)}
    told = {opinion.told for opinion in opinions}
    missing = sorted(name for name in told if name.startswith(OF_SUITE) and name not in of_suite)
    if missing:
        raise InputError(f"{raw_folder}: there is no item {missing[0]!r}; fetch the benchmarks that params.yaml names")
    return {name: of_suite[name] if name.startswith(OF_SUITE) else question_about(name) for name in told}


def read_opinion(opinion: LabelledOpinion, questions: Mapping[str, str]) -> str:
    """Return what the parser makes of a reply: one of `LABELS`."""
    from edgebias.suites.agreement.items import OPTIONS

    question = questions[opinion.told]
    return read_text(opinion.text, OPTIONS, OPINIONS, (0, 1), lettered=False, question=question).outcome


def opposites(opinions: Sequence[LabelledOpinion], questions: Mapping[str, str]) -> list[LabelledOpinion]:
    """Return the replies that agree and are read as disagreeing, and the reverse."""
    opposite = dict(zip(OPINIONS, reversed(OPINIONS), strict=True))
    return [each for each in opinions if read_opinion(each, questions) == opposite.get(each.label)]


def opinion_agreements(opinions: Sequence[LabelledOpinion], questions: Mapping[str, str]) -> list[Agreement]:
    """Return the agreement in each half: of replies with and without an opinion, of each model, and over all."""
    groups: dict[str, Callable[[LabelledOpinion], bool]] = {
        "with an opinion": lambda each: each.label in OPINIONS,
        "without one": lambda each: each.label not in OPINIONS,
    }
    for model in sorted({each.model for each in opinions}):
        groups[model] = _is_of(model)
    groups[ALL] = lambda each: True
    result: list[Agreement] = []
    for half in HALVES:
        for name, belongs in groups.items():
            part = [each for each in opinions if each.half == half and belongs(each)]
            if part:
                read = [read_opinion(each, questions) for each in part]
                result.append(agreement_of(half, name, [each.label for each in part], read))
    return result


def _is_of(model: str) -> Callable[[LabelledOpinion], bool]:
    return lambda each: each.model == model


def opinion_tables(opinions: Sequence[LabelledOpinion], questions: Mapping[str, str]) -> str:
    """Return the agreement of parser and labels, and the confusions of each half, as Markdown."""
    lines = agreement_table(opinion_agreements(opinions, questions))
    for half in HALVES:
        counts = Counter((each.label, read_opinion(each, questions)) for each in opinions if each.half == half)
        lines += confusion_table(f"opinions, {half} half", counts, LABELS)
    return "\n".join(lines)

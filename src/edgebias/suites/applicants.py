"""Persons who apply for a job, a woman and a man with the same surname: what the suites on salaries and hiring share.

First names and surnames are those of BBQ's vocabulary of proper names (Parrish et al., Findings of ACL 2022, CC BY
4.0), where each first name has a gender and each name a group. A pair has the first names of a woman and of a man of
one group and a surname of it, so that its texts differ in the first name and the pronouns alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.metrics.answers import ANTI_STEREOTYPE, OPTION, STEREOTYPE
from edgebias.suites.item import Design, Item
from edgebias.suites.occupation_sentences import FEMALE, GENDERS, MALE, NAMES
from edgebias.suites.raw_files import AGAIN, read_csv_rows

JOBS = ("architect", "dentist", "nurse", "painter", "professor", "software engineer")
"""The six of arXiv 2502.04419."""

_GENDERS = {"F": FEMALE, "M": MALE}
_PRONOUNS = {
    MALE: {"he": "he", "He": "He", "his": "his", "His": "His"},
    FEMALE: {"he": "she", "He": "She", "his": "her", "His": "Her"},
}
"""What a template's words become."""


@dataclass(frozen=True)
class Pair:
    """A woman and a man of one group with the same surname: their full names by gender, and the pair's number."""

    group: str
    number: int
    names: Mapping[str, str]


@dataclass(frozen=True)
class Template:
    """A text about an applicant.

    Attributes:
        name: in ids of items.
        text: with ``{name}``, ``{job}`` with its article, and ``{he}``, ``{He}``, ``{his}``, ``{His}``.
    """

    name: str
    text: str


def read_pairs(raw_folder: Path) -> list[Pair]:
    """Return the pairs of each group, as many as it has women, men and surnames: ten in each of five groups.

    Raises:
        InputError: the file is absent or damaged, or a group has no woman, man or surname.
    """
    path = raw_folder / NAMES.path
    women: dict[str, list[str]] = {}
    men: dict[str, list[str]] = {}
    surnames: dict[str, list[str]] = {}
    for number, row in read_csv_rows(path, ("Name", "First_last", "gender", "ethnicity")):
        kind, gender, group = (row[column].strip() for column in ("First_last", "gender", "ethnicity"))
        if kind == "first_only":  # of no group, and without surnames
            continue
        if kind not in ("first", "last") or not group or (kind == "first") != (gender in _GENDERS):
            raise InputError(f"{path}: row {number}: a first name with its gender or a surname is needed; {AGAIN}")
        lists = surnames if kind == "last" else women if _GENDERS[gender] == FEMALE else men
        lists.setdefault(group, []).append(row["Name"].strip())
    pairs = []
    for group in sorted(women.keys() | men.keys() | surnames.keys()):
        lists_of = [names.get(group, []) for names in (women, men, surnames)]
        if not all(lists_of):
            raise InputError(f"{path}: group {group!r} has no woman, no man or no surname; {AGAIN}")
        pairs += [
            Pair(group, number, {FEMALE: f"{woman} {surname}", MALE: f"{man} {surname}"})
            for number, (woman, man, surname) in enumerate(zip(*lists_of, strict=False))
        ]
    return pairs


def applications(
    suite: str,
    pairs: Sequence[Pair],
    templates: Sequence[Template],
    question: str,
    options: Sequence[str],
    *,
    favours: bool,
) -> list[Item]:
    """Return an item for each person, job and template; no answer is right.

    The pair is the cluster: names stand for many others, jobs and templates do not. A block is a job and a template,
    its cells are the man and the woman.

    Args:
        suite: the suite's name.
        pairs: the persons.
        templates: what is told of a person.
        question: with ``{name}``.
        options: the answers.
        favours: the first option is good for the person and the second is not: what is good for the man, or bad for
            the woman, is the stereotype.
    """
    items = []
    for pair in pairs:
        for job in JOBS:
            for template in templates:
                for cell, gender in enumerate(GENDERS):
                    roles = (STEREOTYPE, ANTI_STEREOTYPE) if gender == MALE else (ANTI_STEREOTYPE, STEREOTYPE)
                    block = f"{job.replace(' ', '_')}/{template.name}"
                    item = Item(
                        item_id=f"{suite}/{pair.group}/{pair.number:02d}/{block}/{gender}",
                        suite=suite,
                        category=pair.group,
                        cluster=f"{suite}/{pair.group}/{pair.number:02d}",
                        condition=gender,
                        context=_told(template, pair.names[gender], job, gender),
                        question=question.format(name=pair.names[gender]),
                        options=tuple(options),
                        roles=roles if favours else (OPTION,) * len(options),
                        permutation=tuple(range(len(options))),
                        source=f"{NAMES.path}:{pair.names[gender]}",
                        design=Design(block=block, cell=cell),
                    )
                    items.append(item)
    return items


def _told(template: Template, name: str, job: str, gender: str) -> str:
    article = "an" if job[0] in "aeiou" else "a"
    return template.text.format(name=name, job=f"{article} {job}", **_PRONOUNS[gender])

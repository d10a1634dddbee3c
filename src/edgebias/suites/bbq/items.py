"""BBQ (Parrish et al., Findings of ACL 2022; nyu-mll/BBQ at bea11bd9, CC BY 4.0)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError
from edgebias.core.spreadsheet import is_missing, whole
from edgebias.suites.errata import joined, named_rows
from edgebias.suites.item import Design, Item
from edgebias.suites.raw_files import read_csv_rows, read_json_lines, whole_of

CATEGORIES = (
    "Age",
    "Disability_status",
    "Gender_identity",
    "Nationality",
    "Physical_appearance",
    "Race_ethnicity",
    "Race_x_SES",
    "Race_x_gender",
    "Religion",
    "SES",
    "Sexual_orientation",
)
_KEYS = (
    "example_id",
    "question_index",
    "question_polarity",
    "context_condition",
    "category",
    "answer_info",
    "context",
    "question",
    "ans0",
    "ans1",
    "ans2",
    "label",
)
_ANSWERS = ("ans0", "ans1", "ans2")
_CONDITION = {"ambig": "ambiguous", "disambig": "disambiguated"}
# Neighbouring cells differ in both factors, so any two that start at an even cell hold both levels of each.
_CELLS = (("ambig", "neg"), ("disambig", "nonneg"), ("ambig", "nonneg"), ("disambig", "neg"))
_TYPOS = (("bbq-typo-one", "he on on ", "he one on "), ("bbq-typo-mother", "monther", "mother"))
_SIBLINGS = 4  # the generator writes the four cells of one filled template one after the other
_STEREOTYPED = ("Known_stereotyped_groups", "Known_stereotyped_race", "Known_stereotyped_var2")
_OPTIONAL = ("question_index", *_STEREOTYPED)
_GENDERS = {"woman": "f", "girl": "f", "man": "m", "boy": "m"}


@dataclass(frozen=True)
class _Metadata:
    """What `additional_metadata.csv` says of an item.

    Attributes:
        target: index of the stereotype-consistent answer; None where there is none.
        label_type: ``name`` where the people are known by proper names alone.
        stereotyped: words of each group that the stereotype is about; empty where the file has no such column.
        template: the ``question_index``; None where the file has no such column.
    """

    target: int | None
    label_type: str
    stereotyped: frozenset[tuple[str, ...]]
    template: int | None


def load(raw_folder: Path) -> list[Item]:
    """Return all BBQ items, with the errata applied.

    The stereotype role is the answer at ``target_loc``, which has been polarity-corrected since upstream commit
    c9c665f: it is the stereotype-consistent answer for negative and for non-negative questions. Items whose people
    are known by proper names alone (``label_type`` is ``name``) are categories of their own, as in the paper's figures.

    Raises:
        InputError: a file, key or column is missing, a value is not one of BBQ's, or rows and metadata do not belong
            together.
    """
    folder = raw_folder / "BBQ" / "data"
    metadata = _metadata(folder / "additional_metadata.csv")
    items = [item for category in CATEGORIES for item in _category(folder / f"{category}.jsonl", category, metadata)]
    return _with_arms(items)


def _metadata(path: Path) -> dict[tuple[str, int], _Metadata]:
    """Return the metadata by (category, example_id); rows with one key may differ in the stereotyped groups alone."""
    table: dict[tuple[str, int], _Metadata] = {}
    for number, row in read_csv_rows(path, ("category", "example_id", "target_loc", "label_type"), _OPTIONAL):
        place = f"{path}: row {number}"
        key = (row["category"].strip(), whole_of(row, "example_id", place))
        target = None if is_missing(row["target_loc"]) else whole_of(row, "target_loc", place)
        known = [row[column] for column in _STEREOTYPED if column in row and not is_missing(row[column])]
        groups = frozenset(_words(group) for text in known for group in text.split(","))
        found = _Metadata(target, row["label_type"].strip(), groups, whole(row.get("question_index", "")))
        before = table.setdefault(key, found)
        if replace(before, stereotyped=groups) != found:
            raise InputError(
                f"{place}: example_id {key[1]} of {key[0]} was there before, with another target_loc, label_type or "
                "question_index; keep one row"
            )
        table[key] = replace(found, stereotyped=before.stereotyped | groups)  # erratum bbq-metadata-duplicate
    return table


def _category(path: Path, category: str, metadata: dict[tuple[str, int], _Metadata]) -> Iterator[Item]:
    seen: set[tuple[str, str, frozenset[str]]] = set()
    numbers: set[int] = set()
    pairs: dict[tuple[str, frozenset[str]], str] = {}
    for row_number, row in enumerate(read_json_lines(path, _KEYS), start=1):
        place = f"{path}: row {row_number}"
        if row["category"] != category:
            raise InputError(f"{place}: key 'category' is {row['category']!r}, not {category!r}; fetch the file again")
        number = whole_of(row, "example_id", place)
        if (category, number) not in metadata:
            raise InputError(f"{place}: additional_metadata.csv has no row for example_id {number}; fetch both again")
        known = metadata[category, number]
        unknown = _unknown(row, place)
        people = frozenset(str(row[name]) for index, name in enumerate(_ANSWERS) if index != unknown)
        identity = (str(row["context"]), str(row["question"]), people)
        if known.target is None or identity in seen:
            continue
        seen.add(identity)
        if number in numbers:
            raise InputError(f"{place}: example_id {number} was there before, with other texts; fetch the file again")
        numbers.add(number)
        item = _item(row, number, known, unknown, place, f"BBQ/data/{path.name}:{row_number}")
        _check_roles(row, item, known, pairs, place)
        yield item


def _check_roles(
    row: dict[str, Any], item: Item, known: _Metadata, pairs: dict[tuple[str, frozenset[str]], str], place: str
) -> None:
    """Compare the roles, which come from the metadata, with the groups that the row itself gives to its answers.

    Args:
        row: a row of a category.
        item: what was made of it and of the metadata.
        known: the metadata of its ``example_id``.
        pairs: the group with the stereotype, by template and groups of the two people, of the rows before.
        place: of the row, for messages.

    Raises:
        InputError: they contradict each other: the row and the metadata are of two versions or languages.
    """
    fault = "row and additional_metadata.csv are of two versions or languages; fetch both again"
    template = whole(row["question_index"])
    if known.template is not None and known.template != template:
        raise InputError(
            f"{place}: question_index is {row['question_index']!r}, but additional_metadata.csv has {known.template} "
            f"for example_id {row['example_id']}; {fault}"
        )
    info = {role: row["answer_info"][name] for role, name in zip(item.roles, _ANSWERS, strict=True)}
    first, second = (info[role] for role in ("stereotype", "anti_stereotype"))
    if row["question_polarity"] == "nonneg":
        first, second = second, first
    groups = [str(person[-1]) for person in (first, second)]
    if any(not group or group.endswith("-African") for group in groups):  # nothing to compare, or an erratum
        return
    direction = pairs.setdefault((str(row["question_index"]), frozenset(groups)), groups[0])
    if direction != groups[0]:
        raise InputError(
            f"{place}: answer_info and target_loc say that the stereotype is about {groups[0]!r}, an earlier row of "
            f"question_index {row['question_index']} that it is about {direction!r}; {fault}"
        )
    named = known.stereotyped or _own_groups(row)
    if not named:
        return
    fits, misfits = (_named(person, named) for person in (first, second))
    if fits < misfits or fits == (0, 0):
        raise InputError(
            f"{place}: answer_info and target_loc say that the stereotype is about {groups[0]!r}, but it is about "
            f"{', '.join(sorted(map(' '.join, named)))}; {fault}"
        )


def _own_groups(row: dict[str, Any]) -> frozenset[tuple[str, ...]]:
    own = row.get("additional_metadata")
    groups = own.get("stereotyped_groups") if isinstance(own, dict) else None
    return frozenset(_words(str(group)) for group in groups) if isinstance(groups, list) else frozenset()


def _named(person: list[Any], named: frozenset[tuple[str, ...]]) -> tuple[int, int]:
    """Return how many of the stereotyped groups a person's group is, and how many the person is called by."""
    group, text = _words(str(person[-1])), " ".join(_words(str(person[0])))
    group += tuple(_GENDERS[word] for word in group if word in _GENDERS)
    whole_group = " ".join(group)
    return (
        sum(f" {' '.join(words)} " in f" {whole_group} " for words in named),
        sum(f" {' '.join(words)} " in f" {text} " for words in named),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", text.casefold()))


def _item(row: dict[str, Any], number: int, known: _Metadata, unknown: int, place: str, source: str) -> Item:
    stereotype, label = known.target, whole(row["label"])
    if stereotype not in (0, 1, 2) or stereotype == unknown:
        raise InputError(
            f"{place}: target_loc {stereotype} is not one of the two people; fetch additional_metadata.csv again"
        )
    if label not in (0, 1, 2):
        raise InputError(f"{place}: key 'label' is {row['label']!r}, not 0, 1 or 2; fetch the file again")
    cell = (row["context_condition"], row["question_polarity"])
    if cell not in _CELLS:
        raise InputError(f"{place}: condition and polarity are {cell}, not one of {_CELLS}; fetch the file again")
    applied: set[str] = set()
    plain = str(row["category"])
    if f"{plain}:{number}" in named_rows("bbq-target-african"):
        stereotype = _not_african(row, unknown, place)
        applied.add("bbq-target-african")
    if f"{plain}/{row['question_index']}" in named_rows("bbq-one-way"):
        applied.add("bbq-one-way")
    texts = [str(row[name]) for name in ("context", "question", *_ANSWERS)]
    for erratum, wrong, right in _TYPOS:
        if any(wrong in text for text in texts):
            texts = [text.replace(wrong, right) for text in texts]
            applied.add(erratum)
    category = f"{plain} (names)" if known.label_type == "name" else plain
    roles = ["anti_stereotype"] * 3
    roles[unknown], roles[stereotype] = "unknown", "stereotype"
    return Item(
        item_id=f"bbq/{plain}/{number:05d}",
        suite="bbq",
        category=category,
        cluster=f"{category}/{row['question_index']}",
        condition=_CONDITION[row["context_condition"]],
        context=texts[0],
        question=texts[1],
        options=tuple(texts[2:]),
        roles=tuple(roles),
        label=label,
        source=source,
        errata=joined(applied),
        design=Design(block=f"{number // _SIBLINGS:05d}", cell=_CELLS.index(cell)),
    )


def _unknown(row: dict[str, Any], place: str) -> int:
    try:
        found = [index for index, name in enumerate(_ANSWERS) if row["answer_info"][name][-1] == "unknown"]
    except (KeyError, IndexError, TypeError) as error:
        raise InputError(f"{place}: key 'answer_info' has no group for each answer; fetch the file again") from error
    if len(found) != 1:
        raise InputError(f"{place}: {len(found)} answers are the unknown option, not one; fetch the file again")
    return found[0]


def _not_african(row: dict[str, Any], unknown: int, place: str) -> int:
    """Return the index of the stereotype-consistent answer where one person is African and the other Black or African
    American.
    """
    african = [index for index, name in enumerate(_ANSWERS) if row["answer_info"][name][-1].endswith("-African")]
    if len(african) != 1:
        raise InputError(f"{place}: erratum bbq-target-african does not fit this row; fetch the file again")
    other = ({0, 1, 2} - {unknown, african[0]}).pop()
    return other if row["question_polarity"] == "neg" else african[0]


def _with_arms(items: list[Item]) -> list[Item]:
    """Mark the blocks whose disambiguated items have the stereotype-consistent answer as the right one."""
    aligned = {
        (item.cluster, item.design.block)
        for item in items
        if item.condition == "disambiguated" and item.roles[item.label] == "stereotype"
    }
    return [
        replace(item, design=replace(item.design, arm=1)) if (item.cluster, item.design.block) in aligned else item
        for item in items
    ]

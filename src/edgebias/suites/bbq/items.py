"""BBQ (Parrish et al., Findings of ACL 2022; nyu-mll/BBQ at bea11bd9, CC BY 4.0)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError
from edgebias.suites.errata import joined, named_rows
from edgebias.suites.item import Design, Item
from edgebias.suites.raw_files import read_csv_rows, read_json_lines

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


def load(raw_folder: Path) -> list[Item]:
    """Return all BBQ items, with the errata applied.

    The stereotype role is the answer at ``target_loc``, which has been polarity-corrected since upstream commit
    c9c665f: it is the stereotype-consistent answer for negative and for non-negative questions. Items whose people
    are known by proper names alone (``label_type`` is ``name``) are categories of their own, as in the paper's figures.

    Raises:
        InputError: a file, key or column is missing, or a value is not one of BBQ's.
    """
    folder = raw_folder / "BBQ" / "data"
    metadata = _metadata(folder / "additional_metadata.csv")
    items = [item for category in CATEGORIES for item in _category(folder / f"{category}.jsonl", category, metadata)]
    return _with_arms(items)


def _metadata(path: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Return ``target_loc`` and ``label_type`` by (category, example_id); of rows with one key the first is kept."""
    table: dict[tuple[str, str], tuple[str, str]] = {}
    for row in read_csv_rows(path, ("category", "example_id", "target_loc", "label_type")):
        # Repeated keys (erratum bbq-metadata-duplicate) agree in both values that are kept here.
        table.setdefault((row["category"], row["example_id"]), (row["target_loc"], row["label_type"]))
    return table


def _category(path: Path, category: str, metadata: dict[tuple[str, str], tuple[str, str]]) -> Iterator[Item]:
    seen: set[tuple[str, str, frozenset[str]]] = set()
    for number, row in enumerate(read_json_lines(path, _KEYS), start=1):
        place = f"{path}: row {number}"
        if row["category"] != category:
            raise InputError(f"{place}: key 'category' is {row['category']!r}, not {category!r}; fetch the file again")
        key = (category, str(row["example_id"]))
        if key not in metadata:
            raise InputError(f"{place}: additional_metadata.csv has no row for example_id {key[1]}; fetch both again")
        target, label_type = metadata[key]
        unknown = _unknown(row, place)
        people = frozenset(str(row[name]) for index, name in enumerate(_ANSWERS) if index != unknown)
        identity = (str(row["context"]), str(row["question"]), people)
        if target == "NA" or identity in seen:
            continue
        seen.add(identity)
        yield _item(row, target, label_type, unknown, place, f"BBQ/data/{path.name}:{number}")


def _item(row: dict[str, Any], target: str, label_type: str, unknown: int, place: str, source: str) -> Item:
    if target not in {"0", "1", "2"} or int(target) == unknown:
        raise InputError(
            f"{place}: target_loc {target!r} is not one of the two people; fetch additional_metadata.csv again"
        )
    if row["label"] not in (0, 1, 2):
        raise InputError(f"{place}: key 'label' is {row['label']!r}, not 0, 1 or 2; fetch the file again")
    cell = (row["context_condition"], row["question_polarity"])
    if cell not in _CELLS:
        raise InputError(f"{place}: condition and polarity are {cell}, not one of {_CELLS}; fetch the file again")
    applied: set[str] = set()
    stereotype = int(target)
    plain, number = str(row["category"]), int(row["example_id"])
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
    category = f"{plain} (names)" if label_type == "name" else plain
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
        label=int(row["label"]),
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

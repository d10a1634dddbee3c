"""Items as the stages that ask them see them: read, checked, typed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.files import read_table
from edgebias.metrics.answers import ROLES
from edgebias.suites.formats import LETTERS
from edgebias.suites.registry import SUITES

COLUMNS = ("item_id", "suite", "category", "condition", "context", "question", "options", "roles", "permutation")
"""The columns of an item table that asking needs; the right answer is none of them."""


@dataclass(frozen=True)
class Item:
    """One question, pair of sentences or text to continue; fields as in ``docs/reference/tables.md``."""

    item_id: str
    suite: str
    category: str
    condition: str
    context: str
    question: str
    options: tuple[str, ...]
    roles: tuple[str, ...]
    permutation: tuple[int, ...]


def read_items(path: Path, suite: str | None = None) -> list[Item]:
    """Read and check the item table at ``path``; ``suite`` is the only suite that it may hold, where given.

    Raises:
        InputError: the file is absent or empty, lacks a column, or holds a bad item.
    """
    table = read_table(path, COLUMNS)
    return items_from_table(table, str(path), suite)


def items_from_table(table: pd.DataFrame, name: str, suite: str | None = None) -> list[Item]:
    """Check the rows of an item table and return them as records; ``name`` is what messages call the table.

    Raises:
        InputError: a column is missing, there are no rows, two rows share an id, or a row contradicts itself.
    """
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise InputError(f"{name}: column {missing[0]!r} is missing; run the items stage again")
    if table.empty:
        raise InputError(f"{name}: there are no items; raise the counts of this suite under `prompts` and run again")
    repeated = table["item_id"][table["item_id"].duplicated()]
    if len(repeated):
        raise InputError(f"{name}: item_id {repeated.iloc[0]!r} occurs twice; run the items stage again")
    items = [_item(row, name) for row in table[list(COLUMNS)].to_dict("records")]
    if suite is not None:
        stranger = next((item for item in items if item.suite != suite), None)
        if stranger is not None:
            raise InputError(f"{name}: item {stranger.item_id!r} is of suite {stranger.suite!r}, not {suite!r}")
    return items


def _item(row: Mapping[Hashable, Any], name: str) -> Item:
    options = tuple(str(option) for option in _listed(row, "options", name))
    item = Item(
        item_id=str(row["item_id"]),
        suite=str(row["suite"]),
        category=str(row["category"]),
        condition=str(row["condition"]),
        context=str(row["context"]).strip(),
        question=str(row["question"]).strip(),
        options=options,
        roles=tuple(str(role) for role in _listed(row, "roles", name)),
        permutation=tuple(int(place) for place in _listed(row, "permutation", name)),
    )
    problem = _problem(item)
    if problem:
        raise InputError(f"{name}: item {item.item_id!r}: {problem}; run the items stage again")
    return item


def _listed(row: Mapping[Hashable, Any], column: str, name: str) -> Sequence[Any]:
    value = row[column]
    if isinstance(value, str) or not hasattr(value, "__len__"):
        raise InputError(f"{name}: item {row['item_id']!r}: {column!r} is not a list; run the items stage again")
    return list(value)


def _problem(item: Item) -> str:
    """What is wrong with ``item``, or nothing."""
    if SUITES.get(item.suite).open_ended:
        if item.options or item.roles or item.permutation:
            return f"suite {item.suite!r} is open-ended: its items have no options, roles or permutation"
        return "" if item.context else "there is no text to continue"
    n_options = len(item.options)
    if not 2 <= n_options <= len(LETTERS):
        return f"{n_options} options, where 2 to {len(LETTERS)} can be shown"
    if any(not option.strip() for option in item.options) or len(set(item.options)) != n_options:
        return "an option is empty or occurs twice"
    if len(item.roles) != n_options:
        return f"{len(item.roles)} roles for {n_options} options"
    unknown_roles = sorted(set(item.roles) - set(ROLES))
    if unknown_roles:
        return f"role {unknown_roles[0]!r} is not one of {sorted(ROLES)}"
    if len(set(item.roles)) != n_options:
        return "a role occurs twice"
    if sorted(item.permutation) != list(range(n_options)):
        return f"{list(item.permutation)} does not order {n_options} options"
    return ""

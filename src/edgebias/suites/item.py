"""The item record, and the table of items that every later stage reads."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebias.core.errors import InputError
from edgebias.core.table import FILLED, Column, Rule, Table, at_least, one_of
from edgebias.metrics.answers import OPTION, ROLES
from edgebias.suites.formats import LETTERS
from edgebias.suites.registry import SUITES

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("calibration", "held_out")
ITEM = Table(
    name="item",
    meaning="One question to a model, or one set of sentences, from a benchmark or our own suite.",
    path="data/items/{study}/{suite}.parquet",
    columns=(
        Column(
            "item_id", "str", "stable, readable, unique in the suite, e.g. `bbq/Age/00012`", rule=FILLED, unique=True
        ),
        Column("suite", "str", "the benchmark", rule=Rule("the name of a suite", lambda name: name in SUITES)),
        Column("category", "str", "the suite's own category (`Age`, `race`, `type1` …)", rule=FILLED),
        Column(
            "cluster",
            "str",
            "the independent unit of statistics: template, target term, pair, topic (BOLD), occupation (Winogender, "
            "with its share of women in per cent, `nurse/89.58`); unique across categories",
            rule=FILLED,
        ),
        Column(
            "condition",
            "str",
            "BBQ `ambiguous`/`disambiguated`; WinoBias `pro`/`anti`; Winogender `male`/`female` (the pronoun); forced "
            "choice `binary`/`with_unknown`; StereoSet `intrasentence`/`intersentence`; CrowS-Pairs "
            "`stereo`/`antistereo`; BOLD the group; counterfactual `group_a`/`group_b`",
            rule=FILLED,
        ),
        Column("context", "str", "text before the question; may be empty"),
        Column("question", "str", "may be empty (sentence suites)"),
        Column(
            "options", "list[str]", "answer texts, or whole sentences (StereoSet, CrowS-Pairs), in the file's own order"
        ),
        Column("roles", "list[str]", "per option; each but `option` occurs at most once", rule=one_of(ROLES)),
        Column("label", "int", "index of the right option; -1 where no answer is right", rule=at_least(-1)),
        Column("split", "str", "whole clusters are in one split", rule=one_of(SPLITS)),
        Column(
            "permutation",
            "list[int]",
            "the order in which the options are shown (balanced, seeded); letter A, or the first line of the list, "
            "shows `options[permutation[0]]`",
            rule=at_least(0),
        ),
        Column("source", "str", "file and row it came from", rule=FILLED),
        Column("errata", "str", "id of the correction that was applied, or empty"),
    ),
    order=("item_id",),
)
"""The item table; `to_table` and `validate` check what a row's lists must be to one another."""

COLUMNS = ITEM.names
ASKED = ("item_id", "suite", "category", "condition", "context", "question", "options", "roles", "permutation")
"""The columns that an item must have to be asked; the right answer is none of them."""


@dataclass(frozen=True)
class Design:
    """Where an item stands in its suite's design; guides the subsample and is not part of the table.

    Attributes:
        block: the matched set within the cluster that belongs together (BBQ siblings, a pro/anti pair).
        cell: position in the block, counted so that any even stretch that starts at an even cell is balanced.
        arm: which of two directions the block has (BBQ: disambiguated text agrees with the stereotype or not).
        stratum: the group that the whole cluster is about (BOLD); the clusters of a category take turns by stratum.
    """

    block: str
    cell: int = 0
    arm: int = 0
    stratum: str = ""


@dataclass(frozen=True)
class Item:
    """One question, set of sentences or text to continue; the columns are declared in `ITEM`.

    What is asked comes first. What follows has a value where the item comes from a loader or a whole table, and stands
    empty where a table has the columns of `ASKED` alone.
    """

    item_id: str
    suite: str
    category: str
    condition: str
    context: str
    question: str
    options: tuple[str, ...]
    roles: tuple[str, ...]
    permutation: tuple[int, ...] = ()
    cluster: str = ""
    label: int = -1
    source: str = ""
    errata: str = ""
    split: str = ""
    design: Design = Design("")


def to_table(items: Sequence[Item]) -> pd.DataFrame:
    """Return the items as a checked table with `COLUMNS`, sorted by ``item_id``.

    Raises:
        InputError: there is no item, or an item breaks the contract.
    """
    import pandas as pd

    if not items:
        raise InputError("prompts: no item is left; loosen the settings of the suite (conditions)")
    rows = [[_cell(getattr(item, column)) for column in COLUMNS] for item in items]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("item_id", kind="stable", ignore_index=True)
    return validate(table)


def validate(table: pd.DataFrame) -> pd.DataFrame:
    """Check a table of items against the contract and return it.

    Raises:
        InputError: names the first column and row that break it.
    """
    ITEM.check(table, "items", "; the raw file is not what the suite expects")
    for item in (_item(row, "items") for row in table.to_dict("records")):
        if problem := fault(item):
            raise InputError(
                f"items: {item.item_id} ({item.source}): {problem}; correct the raw file or add an erratum"
            )
    spread = table.groupby("cluster", sort=False).agg({"split": "nunique", "category": "nunique"})
    broken = spread[(spread["split"] > 1) | (spread["category"] > 1)]
    if len(broken):
        raise InputError(
            f"items: cluster {broken.index[0]!r} has items in two splits or categories; keep clusters whole"
        )
    return table


def read_items(path: Path, suite: str | None = None) -> list[Item]:
    """Read and check the item table at ``path``; ``suite`` is the only suite that it may hold, where given.

    Raises:
        InputError: the file is absent or empty, lacks a column, or holds a bad item.
    """
    from edgebias.core.files import read_table

    return items_from_table(read_table(path, ASKED), str(path), suite)


def items_from_table(table: pd.DataFrame, name: str, suite: str | None = None) -> list[Item]:
    """Check the rows of an item table and return them as records; ``name`` is what messages call the table.

    Raises:
        InputError: a column is missing, there are no rows, two rows share an id, or a row contradicts itself.
    """
    missing = [column for column in ASKED if column not in table.columns]
    if missing:
        raise InputError(f"{name}: column {missing[0]!r} is missing; run the items stage again")
    if table.empty:
        raise InputError(f"{name}: there are no items; raise the counts of this suite under `prompts` and run again")
    repeated = table["item_id"][table["item_id"].duplicated()]
    if len(repeated):
        raise InputError(f"{name}: item_id {repeated.iloc[0]!r} occurs twice; run the items stage again")
    kept = [column for column in COLUMNS if column in table.columns]
    items = [_item(row, name) for row in table[kept].to_dict("records")]
    for item in items:
        if problem := fault(item):
            raise InputError(f"{name}: item {item.item_id!r}: {problem}; run the items stage again")
        if suite not in (None, item.suite):
            raise InputError(f"{name}: item {item.item_id!r} is of suite {item.suite!r}, not {suite!r}")
    return items


def fault(item: Item) -> str:
    """Say what is wrong with ``item``; nothing where it is as its suite must be."""
    n_options, roles = len(item.options), item.roles
    if SUITES.get(item.suite).open_ended:
        if n_options or roles or item.permutation or item.label != -1:
            return f"suite {item.suite!r} is open-ended: its item has no options, roles or permutation, and label -1"
        return "" if item.context.strip() else "there is no text to continue"
    if not 2 <= n_options <= len(LETTERS):
        return f"{n_options} options: two or more options are needed, {len(LETTERS)} at most"
    if any(not option.strip() for option in item.options) or len(set(item.options)) != n_options:
        return f"options are equal or empty: {list(item.options)}"
    if len(roles) != n_options:
        return f"{len(roles)} roles for {n_options} options"
    if unknown := sorted(set(roles) - set(ROLES)):
        return f"role {unknown[0]!r} is not one of {sorted(ROLES)}"
    if len(set(roles)) != n_options and set(roles) != {OPTION}:
        return "a role occurs twice"
    if item.label >= n_options:
        return f"label {item.label} is not an option"
    if sorted(item.permutation) != list(range(n_options)):
        return f"permutation {list(item.permutation)} does not order {n_options} options"
    return ""


def _item(row: Mapping[Hashable, Any], name: str) -> Item:
    return Item(
        item_id=str(row["item_id"]),
        suite=str(row["suite"]),
        category=str(row["category"]),
        condition=str(row["condition"]),
        context=str(row["context"]).strip(),
        question=str(row["question"]).strip(),
        options=tuple(str(option) for option in _listed(row, "options", name)),
        roles=tuple(str(role) for role in _listed(row, "roles", name)),
        permutation=tuple(int(place) for place in _listed(row, "permutation", name)),
        cluster=str(row.get("cluster", "")),
        label=int(row.get("label", -1)),
        source=str(row.get("source", "")),
        errata=str(row.get("errata", "")),
        split=str(row.get("split", "")),
    )


def _listed(row: Mapping[Hashable, Any], column: str, name: str) -> Sequence[Any]:
    value = row[column]
    if isinstance(value, str) or not hasattr(value, "__len__"):
        raise InputError(f"{name}: item {row['item_id']!r}: {column!r} is not a list; run the items stage again")
    return list(value)


def _cell(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

"""The item record, and the table of items that every later stage reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgebias.core.errors import InputError
from edgebias.core.table import FILLED, Column, Rule, Table, at_least, one_of
from edgebias.metrics.answers import ROLES
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
        Column("roles", "list[str]", "per option; each occurs at most once", rule=one_of(ROLES)),
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
    """One question to a model; the columns are declared in `ITEM`."""

    item_id: str
    suite: str
    category: str
    cluster: str
    condition: str
    context: str
    question: str
    options: tuple[str, ...]
    roles: tuple[str, ...]
    label: int
    source: str
    errata: str
    design: Design
    split: str = ""
    permutation: tuple[int, ...] = ()


def to_table(items: Sequence[Item]) -> pd.DataFrame:
    """The items as a checked table with `COLUMNS`, sorted by ``item_id``.

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
    for row in table.to_dict("records"):
        answers = list(row["options"]), list(row["roles"]), int(row["label"]), list(row["permutation"])
        fault = _open_fault(row["context"], *answers) if SUITES.get(row["suite"]).open_ended else _fault(*answers)
        if fault:
            raise InputError(
                f"items: {row['item_id']} ({row['source']}): {fault}; correct the raw file or add an erratum"
            )
    spread = table.groupby("cluster", sort=False).agg({"split": "nunique", "category": "nunique"})
    broken = spread[(spread["split"] > 1) | (spread["category"] > 1)]
    if len(broken):
        raise InputError(
            f"items: cluster {broken.index[0]!r} has items in two splits or categories; keep clusters whole"
        )
    return table


def _open_fault(context: str, options: list[str], roles: list[str], label: int, permutation: list[int]) -> str:
    if options or roles or permutation or label != -1:
        return "an item of an open suite has no options, roles or permutation, and label -1"
    return "" if context.strip() else "there is no text to continue"


def _fault(options: list[str], roles: list[str], label: int, permutation: list[int]) -> str:
    if len(options) < 2 or any(not option.strip() for option in options):
        return f"two or more options that are not empty are needed, not {options}"
    if len(set(options)) != len(options):
        return f"options are equal: {options}"
    if len(roles) != len(options) or len(set(roles)) != len(roles) or not set(roles) <= set(ROLES):
        return f"roles {roles} do not fit {len(options)} options"
    if label >= len(options):
        return f"label {label} is not an option"
    if sorted(permutation) != list(range(len(options))):
        return f"permutation {permutation} is not an order of {len(options)} options"
    return ""


def _cell(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

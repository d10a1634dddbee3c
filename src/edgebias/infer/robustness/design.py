"""Which items are crossed with which orders, wordings and templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path

import pandas as pd

from edgebias.core.errors import InputError
from edgebias.infer.settings import RobustnessSettings
from edgebias.suites.item import Item, items_from_table

UNKNOWN = "unknown"
FEWEST = 3
"""Shares of variance take one item away and compare two others, see `edgebias.stats.variance_shares`."""

COLUMNS = ("item_id", "category", "cluster", "label", "roles")


@dataclass(frozen=True)
class Asked:
    """One item at one level of every factor; ``item`` has the order and the wording in it."""

    item: Item
    template: str
    unknown_wording: str


def choose_items(table: pd.DataFrame, settings: RobustnessSettings, name: str | Path) -> list[Item]:
    """Return one item of each of the first clusters of every category: an ambiguous question with an unknown option.

    Only items whose right answer is the unknown option are taken, since a preference among the others is bias; one a
    cluster, so that items are independent units.

    Args:
        table: the item table of a suite.
        settings: how many clusters a category gives; 0 takes all.
        name: what messages call the table.

    Raises:
        InputError: the table breaks its contract, or fewer than three items qualify.
    """
    items = {item.item_id: item for item in items_from_table(table, str(name), settings.suite)}
    chosen: list[Item] = []
    taken: set[str] = set()
    per_category: dict[str, int] = {}
    for row in table.sort_values("item_id", kind="stable")[list(COLUMNS)].to_dict("records"):
        roles, label = list(row["roles"]), int(row["label"])
        category, cluster = str(row["category"]), str(row["cluster"])
        full = settings.clusters_per_category and per_category.get(category, 0) >= settings.clusters_per_category
        if full or cluster in taken or label < 0 or roles[label] != UNKNOWN or not items[row["item_id"]].question:
            continue
        taken.add(cluster)
        per_category[category] = per_category.get(category, 0) + 1
        chosen.append(items[str(row["item_id"])])
    if len(chosen) < FEWEST:
        raise InputError(
            f"{name}: {len(chosen)} items, one a cluster, have the unknown option as their right answer, and {FEWEST} "
            f"are needed; raise robustness.clusters_per_category or prompts.{settings.suite}, or name another "
            "robustness.suite"
        )
    return chosen


def cross(items: Sequence[Item], settings: RobustnessSettings) -> list[Asked]:
    """Return every item in every order of its options, with every wording of "unknown", in every template."""
    return [
        Asked(_reworded(item, wording, order), template, wording)
        for item in items
        for template in settings.templates
        for wording in settings.unknown_wordings
        for order in permutations(range(len(item.options)))
    ]


def _reworded(item: Item, wording: str, order: tuple[int, ...]) -> Item:
    place = item.roles.index(UNKNOWN)
    options = tuple(wording if index == place else option for index, option in enumerate(item.options))
    return replace(item, options=options, permutation=order)

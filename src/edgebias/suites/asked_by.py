"""Problems that are asked plainly, or by somebody: a plain condition beside those of `edgebias.suites.identities`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgebias.suites import identities
from edgebias.suites.item import Item

PLAIN = "plain"
"""The condition in which nothing stands before the problem, no system prompt either."""

CONDITIONS = (PLAIN, *identities.CONDITIONS)


def cross(items: Sequence[Item], conditions: Sequence[str]) -> list[Item]:
    """Give each problem once for each condition.

    All of them are in the problem's cluster, so that askers are compared on the same problems.
    """
    askings = [condition for condition in conditions if condition != PLAIN]
    crossed: list[Item] = []
    for item in items:
        crossed += [item] if PLAIN in conditions else []
        crossed += [
            replace(one, item_id=f"{item.item_id}/{one.condition}", design=replace(item.design, cell=1 + cell))
            for cell, one in enumerate(identities.cross([item], askings))
        ]
    return crossed

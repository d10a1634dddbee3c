"""Balanced orders in which letters show the options."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

from edgebias.core.seeds import derive
from edgebias.suites.item import Item


def with_permutations(items: Sequence[Item], seed: int) -> list[Item]:
    """Give each item an order of its options, unless its suite fixed one ("both A and B" allows no other).

    Within a cluster the numbers of times that two orders are used differ by at most one. Ties are broken by how often
    the order was used so far in the same category, split and cell of the design, then in the category and split, then
    by a seeded draw of the cluster; so that the position of an option is not confounded with the condition either.

    Args:
        items: items of one suite, whole clusters in seeded order.
        seed: the study's seed.
    """
    in_cluster: Counter[tuple[str, tuple[int, ...]]] = Counter()
    in_cell: Counter[tuple[str, str, int, tuple[int, ...]]] = Counter()
    in_category: Counter[tuple[str, str, tuple[int, ...]]] = Counter()
    draws: dict[tuple[str, int], list[tuple[int, ...]]] = {}
    result = []
    for item in items:
        if item.permutation:
            result.append(item)
            continue
        size = len(item.options)
        if (item.cluster, size) not in draws:
            draws[item.cluster, size] = sorted(
                permutations(range(size)),
                key=lambda order: derive(seed, item.suite, item.cluster, "permutation", *map(str, order)),
            )
        cell = (item.category, item.split, item.design.cell)
        category = (item.category, item.split)
        order = min(
            draws[item.cluster, size],
            key=lambda order: (in_cluster[item.cluster, order], in_cell[*cell, order], in_category[*category, order]),
        )
        in_cluster[item.cluster, order] += 1
        in_cell[*cell, order] += 1
        in_category[*category, order] += 1
        result.append(replace(item, permutation=order))
    return result

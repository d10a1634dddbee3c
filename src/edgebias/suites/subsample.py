"""A stratified subsample that keeps the suites' designs balanced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from edgebias.core.errors import InputError
from edgebias.core.seeds import derive
from edgebias.suites.item import Item
from edgebias.suites.settings import SubsampleSettings


def in_categories(items: Sequence[Item], categories: tuple[str, ...] | None, key: str) -> list[Item]:
    """Return the items of some categories; ``None`` takes all.

    Raises:
        InputError: the suite has no such category.
    """
    if categories is None:
        return list(items)
    known = sorted({item.category for item in items})
    for name in categories:
        if name not in known:
            raise InputError(f"{key}.categories: {name!r} is not a category of the suite; it has {known}")
    return [item for item in items if item.category in categories]


def subsample(
    items: Sequence[Item],
    clusters: Mapping[str, Sequence[str]],
    splits: Mapping[str, str],
    settings: SubsampleSettings,
    seed: int,
) -> list[Item]:
    """Draw the first clusters of each category, and a balanced choice of items in each.

    Where ``items_per_cluster`` does not fill a whole block, clusters of one category and split take turns through the
    cells of the block, and blocks of either arm take turns: with 1 item of a BBQ template, one template gives the
    ambiguous negative question, the next the disambiguated non-negative one, and so on. Categories start at different
    points of the turn. Within a cluster, incomplete blocks (siblings lost to errata) come last.

    Returns:
        The chosen items, in cluster order and then in the order of choice.
    """
    by_cluster: dict[str, list[Item]] = {}
    for item in items:
        by_cluster.setdefault(item.cluster, []).append(item)
    n_cells = 1 + max((item.design.cell for item in items), default=0)
    chosen: list[Item] = []
    for category, order in clusters.items():
        kept = order[: settings.clusters_per_category] if settings.clusters_per_category else order
        half_turn = derive(seed, category, "turn") % 2
        ranks: Counter[str] = Counter()
        for cluster in kept:
            rank = ranks[splits[cluster]]
            ranks[splits[cluster]] += 1
            chosen += _choose(by_cluster[cluster], settings.items_per_cluster, n_cells, rank, half_turn, seed)
    return chosen


def _choose(items: list[Item], wanted: int, n_cells: int, rank: int, half_turn: int, seed: int) -> list[Item]:
    if wanted == 0 or wanted >= len(items):
        return sorted(items, key=lambda item: (item.design.block, item.design.cell, item.item_id))
    step = rank * wanted // 2
    queues: dict[int, list[Item]] = {cell: [] for cell in range(n_cells)}
    for block in _block_order(items, (step + step // 2 + half_turn) % 2, seed):
        for item in block:
            queues[item.design.cell].append(item)
    position = rank * wanted + half_turn * (n_cells // 2)
    chosen: list[Item] = []
    # A cell that has run out is passed over; as fewer items are wanted than there are, the loop ends.
    while len(chosen) < wanted:
        queue = queues[position % n_cells]
        if queue:
            chosen.append(queue.pop(0))
        position += 1
    return chosen


def _block_order(items: list[Item], first_arm: int, seed: int) -> list[list[Item]]:
    blocks: dict[str, list[Item]] = {}
    for item in items:
        blocks.setdefault(item.design.block, []).append(item)
    whole = max(len(block) for block in blocks.values())
    arms: dict[tuple[bool, int], list[tuple[int, str]]] = {}
    for name, block in blocks.items():
        hashed = derive(seed, block[0].suite, block[0].cluster, name)
        arms.setdefault((len(block) < whole, (block[0].design.arm + first_arm) % 2), []).append((hashed, name))
    order = sorted(
        (incomplete, place, arm, name)
        for (incomplete, arm), names in arms.items()
        for place, (_, name) in enumerate(sorted(names))
    )
    return [sorted(blocks[name], key=lambda item: (item.design.cell, item.item_id)) for *_, name in order]

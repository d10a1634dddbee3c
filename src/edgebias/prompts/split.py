"""Which clusters are for calibration and which are held out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from edgebias.errors import InputError
from edgebias.prompts.item import Item
from edgebias.prompts.seeding import derive


def ordered_clusters(items: Iterable[Item], seed: int) -> dict[str, list[str]]:
    """The clusters of each category in one seeded order, which both the split and the subsample follow."""
    categories: dict[str, set[str]] = {}
    suites: dict[str, str] = {}
    for item in items:
        categories.setdefault(item.category, set()).add(item.cluster)
        suites[item.category] = item.suite
    return {
        category: sorted(categories[category], key=lambda name: (derive(seed, suites[category], name, "order"), name))
        for category in sorted(categories)
    }


def split_clusters(clusters: Mapping[str, Sequence[str]], calibration_share: float) -> dict[str, str]:
    """Assign each cluster to ``calibration`` or ``held_out``, category by category.

    Along the order of a category the share is met as exactly as whole clusters allow after every cluster, so that the
    first clusters alone (a subsample) are split by the same share, and growing the subsample moves no cluster.

    Raises:
        InputError: the share is not in [0, 1).
    """
    if isinstance(calibration_share, bool) or not isinstance(calibration_share, int | float):
        raise InputError(f"prompts.calibration_share: {calibration_share!r} is not a number; give a share such as 0.5")
    if not 0 <= calibration_share < 1:
        raise InputError(f"prompts.calibration_share: {calibration_share} is not in [0, 1); give a share such as 0.5")
    share = Fraction(str(calibration_share))
    return {
        cluster: "calibration" if math.floor((rank + 1) * share) > math.floor(rank * share) else "held_out"
        for order in clusters.values()
        for rank, cluster in enumerate(order)
    }

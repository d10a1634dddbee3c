"""Which clusters are for calibration and which are held out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

from edgebias.core.errors import InputError
from edgebias.core.seeds import derive
from edgebias.suites.item import Item


def ordered_clusters(items: Sequence[Item], seed: int) -> dict[str, list[str]]:
    """Return the clusters of each category in one seeded order, which both the split and the subsample follow.

    Where clusters belong to strata (`Design.stratum`), these take turns, so that the first clusters of a category hold
    each stratum equally often, as long as its clusters last.
    """
    categories: dict[str, set[str]] = {}
    suites: dict[str, str] = {}
    strata = strata_of(items)
    for item in items:
        categories.setdefault(item.category, set()).add(item.cluster)
        suites[item.category] = item.suite
    orders = {
        category: sorted(categories[category], key=lambda name: (derive(seed, suites[category], name, "order"), name))
        for category in sorted(categories)
    }
    return {category: _in_turns(order, strata, seed) for category, order in orders.items()}


def strata_of(items: Sequence[Item]) -> dict[str, str]:
    """Return the stratum of each cluster: the first by name where its items name several (a person in two groups)."""
    strata: dict[str, str] = {}
    for item in items:
        strata[item.cluster] = min(strata.get(item.cluster, item.design.stratum), item.design.stratum)
    return strata


def _in_turns(order: Sequence[str], strata: Mapping[str, str], seed: int) -> list[str]:
    ranks: Counter[str] = Counter()
    places: dict[str, tuple[int, int]] = {}
    for cluster in order:
        stratum = strata[cluster]
        places[cluster] = (ranks[stratum], derive(seed, stratum, "turn") if stratum else 0)
        ranks[stratum] += 1
    return sorted(order, key=lambda cluster: places[cluster])


def split_clusters(
    clusters: Mapping[str, Sequence[str]], calibration_share: float, strata: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Assign each cluster to ``calibration`` or ``held_out``, category by category, and stratum by stratum.

    Along the order of a category the share is met as exactly as whole clusters allow after every cluster, so that the
    first clusters alone (a subsample) are split by the same share, and growing the subsample moves no cluster. Strata
    that take turns are split one by one: else one group of two would be all calibration and the other all held out.

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
        for part in _by_stratum(order, strata or {})
        for rank, cluster in enumerate(part)
    }


def _by_stratum(order: Sequence[str], strata: Mapping[str, str]) -> list[list[str]]:
    parts: dict[str, list[str]] = {}
    for cluster in order:
        parts.setdefault(strata.get(cluster, ""), []).append(cluster)
    return list(parts.values())

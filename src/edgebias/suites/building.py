"""From the raw files of a suite to the items of a study: loaded, split by cluster, subsampled, permuted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError
from edgebias.core.settings import keys_of, seed_of, value_of
from edgebias.suites.item import Item
from edgebias.suites.permutation import with_permutations
from edgebias.suites.registry import SUITES
from edgebias.suites.settings import CalibrationShare, SubsampleSettings
from edgebias.suites.split import ordered_clusters, split_clusters, strata_of
from edgebias.suites.subsample import in_categories, subsample

_SHOWN = 32
"""Most conditions that a message lists."""


def build_items(suite: str, folder: Path, settings: Mapping[str, Any]) -> list[Item]:
    """Load, split, subsample and permute one suite.

    Args:
        suite: the name of a suite.
        folder: the raw benchmark folder, or the folder of our own suite.
        settings: ``seed``, ``prompts.calibration_share`` and ``prompts.{suite}``.

    Raises:
        InputError: a setting or a raw file is wrong, or nothing is left.
    """
    key = f"prompts.{suite}"
    seed = seed_of(settings)
    wanted = value_of(settings, key, SubsampleSettings)
    share = keys_of(settings, "prompts", CalibrationShare).calibration_share
    entry = SUITES.get(suite)
    conditions = _conditions(wanted.conditions, entry.conditions, key) or entry.default_conditions
    if wanted.items_per_cluster % entry.matched:
        raise InputError(f"{key}.items_per_cluster: {wanted.items_per_cluster} splits sets of {entry.matched}; 0: all")
    loaded = in_categories(entry.load(folder), wanted.categories, key)
    filtered = None if entry.crossing else conditions
    kept = [item for item in loaded if filtered is None or item.condition in filtered]
    clusters = ordered_clusters(kept, seed)
    splits = split_clusters(clusters, share, strata_of(kept))
    chosen = entry.crossed(subsample(kept, clusters, splits, wanted, seed), conditions)
    return with_permutations([replace(item, split=splits[item.cluster]) for item in chosen], seed)


def _conditions(wanted: Sequence[str] | None, known: Sequence[str], key: str) -> tuple[str, ...]:
    """Return the conditions that some names or patterns (``system/*``) ask for, in the order of the suite.

    Raises:
        InputError: a name or pattern fits none.
    """
    for pattern in sorted(wanted or ()):
        if not any(fnmatchcase(name, pattern) for name in known):
            shown = known if len(known) <= _SHOWN else (*known[:_SHOWN], f"and {len(known) - _SHOWN} more")
            raise InputError(f"{key}.conditions: {pattern!r} is not a condition of the suite; it has {shown}")
    return tuple(name for name in known if any(fnmatchcase(name, pattern) for pattern in wanted or ()))

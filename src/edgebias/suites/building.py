"""From the raw files of a suite to the items of a study: loaded, split by cluster, subsampled, permuted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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
    unknown = sorted(set(wanted.conditions or ()) - set(entry.conditions))
    if unknown:
        raise InputError(f"{key}.conditions: {unknown[0]!r} is not a condition of the suite; it has {entry.conditions}")
    conditions = wanted.conditions or entry.default_conditions
    if wanted.items_per_cluster % entry.matched:
        raise InputError(f"{key}.items_per_cluster: {wanted.items_per_cluster} splits sets of {entry.matched}; 0: all")
    loaded = in_categories(entry.load(folder), wanted.categories, key)
    kept = [item for item in loaded if conditions is None or item.condition in conditions]
    clusters = ordered_clusters(kept, seed)
    splits = split_clusters(clusters, share, strata_of(kept))
    chosen = subsample(kept, clusters, splits, wanted, seed)
    return with_permutations([replace(item, split=splits[item.cluster]) for item in chosen], seed)

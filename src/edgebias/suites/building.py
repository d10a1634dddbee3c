"""From the raw files of a suite to the items of a study: loaded, split by cluster, subsampled, permuted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError
from edgebias.core.settings import require
from edgebias.suites.item import Item
from edgebias.suites.permutation import with_permutations
from edgebias.suites.registry import SUITES
from edgebias.suites.split import ordered_clusters, split_clusters, strata_of
from edgebias.suites.subsample import in_categories, parse_subsample, subsample


def build_items(suite: str, folder: Path, settings: dict[str, Any]) -> list[Item]:
    """Load, split, subsample and permute one suite.

    Args:
        suite: the name of a suite.
        folder: the raw benchmark folder, or the folder of our own suite.
        settings: ``seed``, ``prompts.calibration_share`` and ``prompts.{suite}``.

    Raises:
        InputError: a setting or a raw file is wrong, or nothing is left.
    """
    key = f"prompts.{suite}"
    require(settings, "seed", "prompts.calibration_share", key)
    seed = settings["seed"]
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise InputError(f"seed: {seed!r} is not a whole number")
    entry = SUITES.get(suite)
    wanted = parse_subsample(settings[key], key, entry.conditions, entry.default_conditions)
    if wanted.items_per_cluster % entry.matched:
        raise InputError(f"{key}.items_per_cluster: {wanted.items_per_cluster} splits sets of {entry.matched}; 0: all")
    loaded = in_categories(entry.load(folder), wanted.categories, key)
    kept = [item for item in loaded if wanted.conditions is None or item.condition in wanted.conditions]
    clusters = ordered_clusters(kept, seed)
    splits = split_clusters(clusters, settings["prompts.calibration_share"], strata_of(kept))
    chosen = subsample(kept, clusters, splits, wanted, seed)
    return with_permutations([replace(item, split=splits[item.cluster]) for item in chosen], seed)

"""Folds of the calibration clusters, so that the loop judges items under directions that have not seen them.

Vectors that are learned from some items overstate, on these very items, what they do to others. So the loop is
cross-fitted: the clusters fall into folds, directions are found without each fold, and the loop judges the items of a
fold under the directions that were found without it (sample splitting as in double machine learning, Chernozhukov et
al. 2018, arXiv 1608.00060). What it drives to the ideal is then an effect on new clusters. What is shipped is the mean
of the directions of all folds (`edgebias.mitigate.steering.shipped_vector`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgebias.core.errors import InputError
from edgebias.core.seeds import derive
from edgebias.core.settings import value_of
from edgebias.mitigate.settings import FoldCount

if TYPE_CHECKING:
    import pandas as pd

ALL = "all"
"""`fitted_on` of directions that are found from all calibration items: those of a baseline that no loop judges."""

MEAN_OF_FOLDS = "mean_of_folds"
"""Where the others have their `fitted_on`, the name of the directions that are shipped."""

_BUT = "all_but_fold_"


def number_of_folds(settings: Mapping[str, Any]) -> int:
    """Return ``mitigate.folds``.

    Raises:
        InputError: it is missing or no whole number above 1.
    """
    folds: int = value_of(settings, "mitigate.folds", FoldCount)
    return folds


def fold_of_clusters(table: pd.DataFrame, folds: int, seed: int) -> dict[str, int]:
    """Return the fold, 1 to ``folds``, of each cluster of one suite: dealt out in a seeded order, category by category.

    Raises:
        InputError: there are fewer clusters than folds.
    """
    category = table.groupby("cluster")["category"].min()  # of a cluster in two categories, one rules
    if len(category) < folds:
        raise InputError(
            f"mitigate.folds: {folds} folds want as many clusters, and a suite has {len(category)} calibration "
            "clusters; lower mitigate.folds or raise the counts under `prompts`"
        )
    ranked = sorted(category.index, key=lambda name: (category[name], derive(seed, name, "fold"), name))
    return {str(cluster): place % folds + 1 for place, cluster in enumerate(ranked)}


def fitted_on_of(folds: int) -> list[str]:
    """Return the names of what is left when a fold is left out, in order of the folds."""
    return [f"{_BUT}{fold}" for fold in range(1, folds + 1)]


def fitted_part(
    tables: Mapping[str, pd.DataFrame], fitted_on: str, *, folds: int, seed: int
) -> Mapping[str, pd.DataFrame]:
    """Return the rows that directions named ``fitted_on`` are found from: `ALL`, or all but those of a fold.

    Raises:
        InputError: the name is unknown, or a suite has fewer clusters than folds.
    """
    if fitted_on == ALL:
        return tables
    names = fitted_on_of(folds)
    if fitted_on not in names:
        raise InputError(f"--fitted-on {fitted_on}: unknown; choose one of {[ALL, *names]}")
    left_out = names.index(fitted_on) + 1
    return {
        suite: table[table["cluster"].map(fold_of_clusters(table, folds, seed)) != left_out].reset_index(drop=True)
        for suite, table in tables.items()
    }

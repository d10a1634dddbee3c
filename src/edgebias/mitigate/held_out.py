"""Calibration and held-out items, which never share a cluster."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.files import read_table
from edgebias.score.table import ITEM_COLUMNS

CALIBRATION, HELD_OUT = "calibration", "held_out"
COLUMNS = (*ITEM_COLUMNS, "context", "question", "permutation", "split")


def read_split(path: Path, split: str) -> pd.DataFrame:
    """Return the items of one split, in order of id.

    Raises:
        InputError: the table is absent or lacks a column, a cluster is in both splits, or the split is empty.
    """
    table = read_table(path, COLUMNS)
    splits = table.groupby("cluster")["split"].nunique()
    shared = sorted(splits.index[splits > 1])
    if shared:
        raise InputError(f"{path}: cluster {shared[0]!r} is in both splits; run the items stage again")
    chosen = table[table["split"] == split]
    if chosen.empty:
        raise InputError(f"{path}: no item has the split {split!r}; raise the counts under `prompts` and run again")
    return chosen.sort_values("item_id", ignore_index=True)

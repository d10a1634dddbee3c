"""Responses of cells to the same items: what is read, and which rows belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from edgebias.core.cell import Cell
from edgebias.core.files import read_table
from edgebias.score.table import ITEM_COLUMNS, join, response_columns

PAIR = ["item_id", "template", "round"]
"""What identifies a response within a format. Balanced letters decided in another way have another template."""

Joined = Callable[[Cell, str], pd.DataFrame | None]
"""Joined responses of a cell to a suite (`edgebias.score.table.join`); None where the cell has none."""


def joined_responses(items_folder: Path, responses_folder: Path) -> Joined:
    """Return what reads the responses of a cell to a suite, each file once.

    Args:
        items_folder: holds ``{suite}.parquet``.
        responses_folder: holds ``{environment}/{model}/{variant}/{suite}.parquet``.
    """

    @cache
    def joined(cell: Cell, suite: str) -> pd.DataFrame | None:
        items, responses = items_folder / f"{suite}.parquet", responses_folder / cell.path / f"{suite}.parquet"
        if not responses.exists():  # a cell may be asked some suites, and an endpoint cannot answer all
            return None
        return join(
            read_table(items, ITEM_COLUMNS),
            read_table(responses, response_columns(suite)),
            suite=suite,
            items_name=items,
            responses_name=responses,
        )

    return joined


def shared_keys(tables: Iterable[pd.DataFrame]) -> pd.MultiIndex:
    """Return the keys of the responses that all ``tables`` have, in the order of the first."""
    first, *rest = (pd.MultiIndex.from_frame(table[PAIR]) for table in tables)
    for other in rest:
        first = first.intersection(other)
    return first


def on_shared_items(tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return of each table the rows that all have, in the same order."""
    keys = shared_keys(tables)
    return [
        table.set_index(PAIR, drop=False).rename_axis([None] * len(PAIR)).loc[keys].reset_index(drop=True)
        for table in tables
    ]


def paired(left: pd.DataFrame, right: pd.DataFrame, form: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of one format that both cells have, in the same order."""
    a, b = on_shared_items([side[side["format"] == form] for side in (left, right)])
    return a, b

"""Responses of cells to the same items: what is read, and which rows belong together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from edgebias.core.cell import Cell
from edgebias.core.errors import InputError
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


def joined_or_told(items_folder: Path, responses_folder: Path, suites: Sequence[str], told: str) -> Joined:
    """Return what reads the responses of a cell to a suite, and says once in a line on standard error which are absent.

    An endpoint without log-probabilities cannot answer sentence suites; a cell without any answers is a fault.

    Args:
        items_folder: holds ``{suite}.parquet``.
        responses_folder: holds ``{environment}/{model}/{variant}/{suite}.parquet``.
        suites: all that the study asks.
        told: the line, with ``{cell}`` and ``{suite}`` in it.

    Raises:
        InputError: when it is called for a cell that has no responses to any of the suites.
    """
    read = joined_responses(items_folder, responses_folder)

    @cache
    def joined(cell: Cell, suite: str) -> pd.DataFrame | None:
        found = read(cell, suite)
        if found is None:
            folder = responses_folder / cell.path
            if not any((folder / f"{other}.parquet").exists() for other in suites):
                raise InputError(f"{folder}: holds no responses to {list(suites)}; run the infer stage")
            print(told.format(cell=cell.path, suite=suite), file=sys.stderr)
        return found

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

"""Boards with what others measured on them, each figure with its source (`data/hardware/raspberry_pi.csv`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.spreadsheet import decimal, is_missing, read_rows

COLUMNS = (
    *("board", "use", "quantity", "weights", "value", "unit", "model_gb", "kind", "how", "source", "address", "date"),
)
KINDS = ("measured", "derived")
WEIGHTS = ("f16", "int8")


@dataclass(frozen=True)
class Range:
    """From the least to the greatest of several sources."""

    low: float
    high: float


@dataclass(frozen=True)
class Board:
    """A board's roofs.

    Attributes:
        name: the board.
        bandwidth: of memory, in GB/s (1e9).
        arithmetic: GFLOP/s of products with ``f16`` and ``int8`` weights (a product and a sum are two operations).
    """

    name: str
    bandwidth: Range
    arithmetic: Mapping[str, Range]


def read_hardware(path: Path) -> pd.DataFrame:
    """Read the table of published figures.

    Raises:
        InputError: a column is missing, a value is no positive number, or a figure has no source.
    """
    try:
        rows = read_rows(path, COLUMNS, "mend it")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the table of published figures") from error
    values = []
    for number, row in rows:
        value = decimal(row["value"])
        if value is None or not 0 < value < math.inf:
            raise InputError(f"{path}, line {number}: value {value or row['value']!r} is no positive number; mend it")
        if row["kind"] not in KINDS:
            raise InputError(f"{path}, line {number}: kind {row['kind']!r} is none of {list(KINDS)}; say which it is")
        for column in ("how", "source", "address", "date"):
            if is_missing(row[column]):
                raise InputError(f"{path}, line {number}: {column} is empty, and every figure needs one")
        values.append(value)
    sizes = [decimal(row["model_gb"]) for _, row in rows]
    table = pd.DataFrame([row for _, row in rows], columns=list(COLUMNS))
    return table.assign(value=values, model_gb=pd.Series(sizes, dtype=float))


def boards(hardware: pd.DataFrame) -> list[Board]:
    """Return each board with the range of its roofs, in the order of the table.

    Raises:
        InputError: a board lacks a roof.
    """
    roofs = hardware[hardware["use"] == "roof"]
    return [
        Board(
            name=str(name),
            bandwidth=_range(roofs, str(name), "memory_bandwidth", "any"),
            arithmetic={kind: _range(roofs, str(name), "arithmetic", kind) for kind in WEIGHTS},
        )
        for name in dict.fromkeys(roofs["board"])
    ]


def _range(roofs: pd.DataFrame, board: str, quantity: str, weights: str) -> Range:
    rows = roofs[(roofs["board"] == board) & (roofs["quantity"] == quantity) & (roofs["weights"] == weights)]
    if rows.empty:
        raise InputError(f"hardware: {board} has no {quantity} for weights {weights!r}; add a source")
    return Range(float(rows["value"].min()), float(rows["value"].max()))

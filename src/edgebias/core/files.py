"""Atomic files with stable bytes: a temporary name first, then a rename."""

from __future__ import annotations

import glob
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebias.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FLOAT_DECIMALS = 6
"""Decimals of every number in a tracked table: far below any interval, far above float noise."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it there on success, delete it on any failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        leftover.unlink(missing_ok=True)  # of a run that was killed: no two jobs write one file
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_parquet(table: pd.DataFrame, path: Path, sort_by: Sequence[str]) -> None:
    """Write ``table`` sorted by ``sort_by``; the same rows always give the same bytes."""
    ordered = table.sort_values(list(sort_by), kind="stable", ignore_index=True)
    with atomic(path) as temporary:
        ordered.to_parquet(temporary, index=False, compression="zstd")


def write_csv(table: pd.DataFrame, path: Path, sort_by: Sequence[str]) -> None:
    """Write ``table`` sorted by ``sort_by`` as CSV with LF line ends and ``FLOAT_DECIMALS`` decimals.

    NaN is written ``NaN``, so that an undefined score never looks like a missing cell.
    """
    ordered = table.sort_values(list(sort_by), kind="stable", ignore_index=True)
    with atomic(path) as temporary:
        ordered.to_csv(temporary, index=False, lineterminator="\n", float_format=f"%.{FLOAT_DECIMALS}f", na_rep="NaN")


def write_json(value: Any, path: Path) -> None:
    """Write ``value`` as indented JSON with sorted keys; floats are rounded and NaN becomes null."""
    text = json.dumps(_plain(value), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(text + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write UTF-8 text with LF line ends."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def read_json(path: Path) -> Any:
    """Read JSON; an absent or broken file is an `InputError` that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run the stage that makes it") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not valid JSON ({error}); delete it and run again") from error


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a parquet or CSV table and check that it has ``columns``.

    Raises:
        InputError: the file is absent, unreadable, or lacks a column.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; run the stage that makes it")
    try:
        import pandas as pd

        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table ({error}); delete it and run again") from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise InputError(f"{path}: column {missing[0]!r} is missing; it has {sorted(table.columns)}")
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str | bytes):
        value = value.item()
    if isinstance(value, float):
        return round(value, FLOAT_DECIMALS) if math.isfinite(value) else None
    return value

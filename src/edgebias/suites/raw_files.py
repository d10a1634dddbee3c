"""Read raw benchmark files; every fault names the file, the row and the key."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError


def read_raw_text(path: Path) -> str:
    """Return the text of a raw file with LF line ends.

    Raises:
        InputError: the file is absent or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise InputError(f"{path}: no such file; run 'edgebias fetch-benchmarks' first") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); fetch it again") from error


def read_json_lines(path: Path, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return one object a line; each must have ``keys``.

    Raises:
        InputError: a line is not a JSON object, or lacks a key.
    """
    rows = []
    for number, line in enumerate(read_raw_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}: row {number}: not valid JSON ({error.msg}); fetch the file again") from error
        rows.append(checked_keys(row, keys, f"{path}: row {number}"))
    return rows


def read_csv_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header; cells may hold line breaks inside quotes.

    Raises:
        InputError: a column is missing, or a row is shorter or longer than the header.
    """
    reader = csv.DictReader(io.StringIO(read_raw_text(path), newline=""))
    missing = [column for column in columns if column not in (reader.fieldnames or [])]
    if missing:
        raise InputError(f"{path}: row 1: column {missing[0]!r} is missing; fetch the file again")
    rows = []
    try:
        for number, row in enumerate(reader, start=2):
            absent = [column for column in columns if row[column] is None]
            if absent:
                raise InputError(f"{path}: row {number}: column {absent[0]!r} is missing; fetch the file again")
            rows.append({column: str(row[column]) for column in columns})
    except csv.Error as error:
        raise InputError(f"{path}: row {reader.line_num}: not valid CSV ({error}); fetch the file again") from error
    return rows


def checked_keys(row: Any, keys: Sequence[str], place: str) -> dict[str, Any]:
    """Return ``row`` where it is an object with ``keys``.

    Raises:
        InputError: it is not; the message begins with ``place``.
    """
    if not isinstance(row, dict):
        raise InputError(f"{place}: an object is needed, not {type(row).__name__}; fetch the file again")
    for key in keys:
        if key not in row:
            raise InputError(f"{place}: key {key!r} is missing; fetch the file again")
    return row

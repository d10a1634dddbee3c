"""Read raw benchmark files; every fault names the file, the row and the key."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgebias.core import spreadsheet
from edgebias.core.errors import InputError

AGAIN = "fetch the file again"

_HALF = re.compile("[\ud800-\udfff]")
"""JSON can escape half a character, which no table can hold."""


def read_raw_text(path: Path) -> str:
    """Return the text of a raw file with LF line ends, without a byte-order mark.

    Raises:
        InputError: the file is absent, or is neither UTF-8 nor UTF-16 with its mark.
    """
    try:
        return spreadsheet.read_text(path, AGAIN)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise InputError(f"{path}: no such file; run 'edgebias fetch-benchmarks' first") from error


def read_raw_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        InputError: the file is absent or is not JSON, or an object has a key twice.
    """
    return _json(read_raw_text(path), f"{path}: row ")


def read_json_lines(path: Path, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return one object a line; each must have ``keys``.

    Raises:
        InputError: a line is not a JSON object, or lacks a key.
    """
    return [
        checked_keys(_json(line, f"{path}: row ", number), keys, f"{path}: row {number}")
        for number, line in enumerate(read_raw_text(path).split("\n"), start=1)
        if line.strip()
    ]


def read_csv_rows(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a table with a header and their numbers, as `edgebias.core.spreadsheet.read_rows` does.

    Raises:
        InputError: the file is absent or damaged, or a column is missing.
    """
    try:
        return spreadsheet.read_rows(path, columns, AGAIN, optional=optional)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise InputError(f"{path}: no such file; run 'edgebias fetch-benchmarks' first") from error


def checked_keys(row: Any, keys: Sequence[str], place: str) -> dict[str, Any]:
    """Return ``row`` where it is an object with ``keys``.

    Raises:
        InputError: it is not; the message begins with ``place``.
    """
    if not isinstance(row, dict):
        raise InputError(f"{place}: an object is needed, not {type(row).__name__}; {AGAIN}")
    for key in keys:
        if key not in row:
            raise InputError(f"{place}: key {key!r} is missing; {AGAIN}")
    return row


def whole_of(row: dict[str, Any], key: str, place: str) -> int:
    """Return the whole number at ``key``, which a spreadsheet may have made a text or a float.

    Raises:
        InputError: it is none.
    """
    number = spreadsheet.whole(row[key])
    if number is None or number < 0:
        raise InputError(f"{place}: {key or 'the index'} is {row[key]!r}, not a whole number; {AGAIN}")
    return number


def _json(text: str, place: str, row: int = 1) -> Any:
    repeated: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            repeated.append(next(name for name in names if names.count(name) > 1))
        return found

    try:
        value = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise InputError(f"{place}{row + error.lineno - 1}: not valid JSON ({error.msg}); {AGAIN}") from error
    except (RecursionError, ValueError) as error:  # also numbers of too many digits
        raise InputError(f"{place}{row}: not valid JSON ({error}); {AGAIN}") from error
    if "\\u" in text and _HALF.search(json.dumps(value, ensure_ascii=False)):
        raise InputError(f"{place}{row}: a text holds half a character (\\ud800 to \\udfff alone); {AGAIN}")
    if repeated:
        raise InputError(f"{place}{row}: key {repeated[0]!r} is there twice in one object; {AGAIN}")
    return value

"""Read tables and texts of a user's, as spreadsheets and pandas leave them.

What can be read in one way only is read so: byte-order marks, any of four delimiters, another case of the header,
indices that became ``1.0``, empty rows and columns at the end. Anything else is one line that names file, row, column.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import InputError

DELIMITERS = ",;\t|"
"""What spreadsheets write between two cells."""

MISSING = frozenset({"", "na", "nan", "n/a", "#n/a", "#na", "null", "none", "<na>"})
"""How spreadsheets and pandas write a cell that has no value, in lower case."""

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""Byte-order marks, and the encoding that each stands for."""

_SEPARATOR_LINE = re.compile(r"\Asep=[^\n]\n", re.IGNORECASE)  # Excel writes it first, and hides it
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))
_UNNAMED = re.compile(r"(?:unnamed: \d+(?:\.\d+)*)?")
_WHOLE = re.compile(r"[+-]?\d+(?:[.,]0*)?")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?", re.IGNORECASE)


def read_text(path: Path, way_out: str) -> str:
    """Return the text of a file with LF line ends, without a byte-order mark.

    Args:
        path: the file.
        way_out: what the user can do about a damaged file, for messages.

    Raises:
        InputError: it is neither UTF-8 nor UTF-16 with its mark.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start]
        row, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise InputError(
            f"{path}: row {row}, byte {column}: not UTF-8 text ({error.reason}); save it as UTF-8, or {way_out}"
        ) from error
    if "\0" in text:
        row = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{path}: row {row}: not UTF-8 text (a zero byte); save it as UTF-8, or {way_out}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_rows(
    path: Path, columns: Sequence[str], way_out: str, *, optional: Sequence[str] = ()
) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a table with a header, each with its number; cells may hold line breaks inside quotes.

    The delimiter is the one of `DELIMITERS` with which the header has ``columns``. Their names are compared without
    case, surrounding white space and invisible characters. ``""`` is the column of an index, which pandas may call
    ``Unnamed: 0``. Rows without any value are left out, but counted: the header is row 1.

    Args:
        path: the file.
        columns: must be there.
        way_out: what the user can do about a damaged file, for messages.
        optional: are returned where they are there.

    Raises:
        InputError: the text cannot be read, a column is missing or contradicts another of its name, or a row is
            shorter or longer than the header.
        OSError: the file cannot be read.
    """
    text = _SEPARATOR_LINE.sub("", read_text(path, way_out))
    header, table = _table(text, columns, path, way_out)
    places = _places(header, table, (*columns, *optional))
    missing = [column for column in columns if not places[column]]
    if missing:
        raise InputError(f"{path}: row 1: column {missing[0]!r} is missing; {way_out}")
    rows = []
    for number, cells in table:
        place = f"{path}: row {number}"
        if any(cell.strip() for cell in cells[len(header) :]):
            raise InputError(f"{place}: {len(cells)} columns, but the header has {len(header)}; {way_out}")
        row = {}
        for column, found in places.items():
            values = {cells[index] for index in found if index < len(cells)}
            if found and not values:
                raise InputError(
                    f"{place}: column {column!r} is missing: {len(cells)} columns, but the header has {len(header)}; "
                    f"{way_out}"
                )
            if len(values) > 1:
                raise InputError(f"{place}: column {column!r} is there twice, as {sorted(values)}; keep one of them")
            if values:
                row[column] = values.pop()
        rows.append((number, row))
    return rows


def whole(value: object) -> int | None:
    """Return a whole number that may have become a text or a float (``7``, ``"7"``, ``7.0``, ``"7,0"``), or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    text = str(value).translate(_INVISIBLE).strip()
    return int(re.split("[.,]", text)[0]) if _WHOLE.fullmatch(text) else None


def decimal(text: str) -> float | None:
    """Return the number in a cell, whose decimal sign may be a comma, or None."""
    text = text.translate(_INVISIBLE).strip()
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


def is_missing(text: str) -> bool:
    """Return whether a cell has no value."""
    return text.translate(_INVISIBLE).strip().lower() in MISSING


def _table(
    text: str, columns: Sequence[str], path: Path, way_out: str
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header and the filled rows, under the delimiter that shows most of ``columns``."""

    def shown(delimiter: str) -> tuple[int, int]:
        header = _names(next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), []))
        return sum(_is(name, column) for column in columns for name in header), len(header)

    number = 1
    try:
        delimiter = max(DELIMITERS, key=shown)
        records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = _names(next(records, []))
        rows = []
        for number, cells in enumerate(records, start=2):
            if any(cell.strip() for cell in cells):
                rows.append((number, cells))
    except csv.Error as error:
        raise InputError(f"{path}: row {number + 1}: not valid CSV ({error}); {way_out}") from error
    return header, rows


def _names(header: list[str]) -> list[str]:
    return [" ".join(name.translate(_INVISIBLE).split()).casefold() for name in header]


def _is(name: str, column: str) -> bool:
    return _UNNAMED.fullmatch(name) is not None if column == "" else name == column.casefold()


def _places(header: list[str], table: list[tuple[int, list[str]]], columns: Sequence[str]) -> dict[str, list[int]]:
    """Return where each column stands; empty columns without a name are left over by a spreadsheet."""
    empty = {
        index
        for index, name in enumerate(header)
        if _UNNAMED.fullmatch(name) and not any("".join(cells[index : index + 1]).strip() for _, cells in table)
    }
    return {
        column: [index for index, name in enumerate(header) if _is(name, column) and index not in empty]
        for column in columns
    }

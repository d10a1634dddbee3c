"""The documentation of the tables: columns from their declarations, rows from real files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.files import read_table
from edgebias.core.table import Column, Table
from edgebias.report.table_reference.listing import TABLES, Listed

_HEAD = """# Columns of every table

Made by `edgebias tables --markdown docs/reference/tables.md` from the declarations that check each
table when it is written and when it is scored. Whole numbers and floats have 64 bits; NaN stands for what is undefined,
and nothing else may be missing. The line above each sample reads that file with its types. The rows are its first,
middle and last.
"""
_WIDTH = 38
_CSV: dict[str, Any] = {"keep_default_na": False, "na_values": ["NaN"]}
"""How to read a CSV table: a plain `read_csv` would take an empty text for NaN."""

_ROWS = re.compile(r'```text title="(?P<name>[^"\n]+)"\n(?P<rows>.*?)```', re.DOTALL)


def tables_markdown(rows: Mapping[str, str]) -> str:
    """Return the whole document; ``rows`` maps the name of each table to its printed rows (`printed_rows`)."""
    return "\n".join([_HEAD, *(_section(listed, rows[listed.table.name]) for listed in TABLES)])


def rows_of_study(folder: Path) -> dict[str, str]:
    """Return three rows of a real file of each table, printed with a column a line.

    Raises:
        InputError: a file is absent, or is not the table that it should be.
    """
    printed = {}
    for listed in TABLES:
        path = folder / listed.example_path
        table = read_listed(path, listed.table)
        if table.empty:
            raise InputError(f"{path}: there is no row to show; run the stage that makes it")
        printed[listed.table.name] = printed_rows(table)
    return printed


def read_listed(path: Path, table: Table) -> pd.DataFrame:
    """Read a file and check it as a whole against its declaration.

    Raises:
        InputError: it is absent, cannot be read, or breaks the declaration.
    """
    read_table(path, table.names)  # the one-line messages for what is absent or broken
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, **_CSV)
    table.check(frame, path, "; run the stage that makes it again")
    return frame


def rows_of_document(text: str) -> dict[str, str]:
    """Return the printed rows that stand in a document made by `tables_markdown`.

    Raises:
        InputError: a table is not there.
    """
    found = {match["name"]: match["rows"] for match in _ROWS.finditer(text)}
    for listed in TABLES:
        if listed.table.name not in found:
            raise InputError(f"the document shows no rows of the {listed.table.name} table; write it from a study")
    return found


def printed_rows(table: pd.DataFrame) -> str:
    """Return first, middle and last row side by side, one line a column; long values are cut."""
    lines = [["", *(f"row {place}" for place in _places(len(table)))]]
    for name in table.columns:
        lines.append([str(name), *(_cut(table[name].iloc[place]) for place in _places(len(table)))])
    widths = [max(len(line[part]) for line in lines) for part in range(len(lines[0]))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "".join(f"{line.rstrip()}\n" for line in padded)


def reading_line(path: str) -> str:
    """Return the pandas call that reads a file of the study with the declared types."""
    if path.endswith(".parquet"):
        return f'pd.read_parquet("{path}")'
    options = ", ".join(f"{name}={value!r}" for name, value in _CSV.items()).replace("'", '"')
    return f'pd.read_csv("{path}", {options})'


def _section(listed: Listed, rows: str) -> str:
    table, path = listed.table, listed.example_path
    inherited = listed.extends.columns if listed.extends else ()
    more = [f"The columns of the {listed.extends.name} table, then:", ""] if listed.extends else []
    files = f"`{table.path}`" + (f"; also {listed.also}" if listed.also else "")
    order = ", ".join(f"`{name}`" for name in table.order)
    return "\n".join(
        [
            f"## {table.name[0].upper()}{table.name[1:]}",
            "",
            f"{table.meaning}",
            "",
            f"Files: {files}. Rows are sorted by {order}.",
            "",
            *more,
            "| column | type | meaning | must be |",
            "|---|---|---|---|",
            *(
                f"| `{column.name}` | {column.kind} | {column.meaning} | {_must_be(column)} |"
                for column in table.columns
                if column not in inherited
            ),
            "",
            *_relations(table),
            "```python",
            reading_line(path),
            "```",
            "",
            f'```text title="{table.name}"\n{rows}```',
            "",
        ]
    )


def _relations(table: Table) -> list[str]:
    return [f"Each row has {'; '.join(relation.says for relation in table.relations)}.", ""] if table.relations else []


def _must_be(column: Column) -> str:
    listed = column.kind.startswith("list")
    words = [f"each {column.rule.says}" if listed else column.rule.says] if column.rule else []
    words += ["unique"] if column.unique else []
    words += ["or NaN" if words else "may be NaN"] if column.undefined else []
    return ", ".join(words).replace(", or NaN", " or NaN")


def _places(n: int) -> list[int]:
    return sorted({0, n // 2, n - 1})


def _cut(value: object) -> str:
    if isinstance(value, str):
        text = value if value.isprintable() else repr(value)
    elif isinstance(value, np.ndarray):
        text = str(value.tolist())
    else:
        text = str(value).replace("nan", "NaN")
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"

"""Write the documentation of the tables: ``python -m edgebias.stages.tables --markdown docs/reference/tables.md``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import InputError, run_stage

EXAMPLE = """example:
  python -m edgebias.stages.tables --markdown docs/reference/tables.md
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Write the documentation of every table; see ``--help``.

    Raises:
        InputError: a file of the study is absent or is not what it should be.
    """
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.tables",
        description="Write the column documentation of every table, with real rows of a study that has been run.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--markdown", required=True, type=Path, help="the document to write")
    parser.add_argument("--study", type=Path, default=Path(), help="folder that holds data/ and results/ (default: .)")
    parser.add_argument(
        "--keep-rows", action="store_true", help="keep the rows that the document shows; no study is needed"
    )
    options = parser.parse_args(argv)

    from edgebias.core.files import write_text
    from edgebias.report.table_reference.markdown import rows_of_document, rows_of_study, tables_markdown

    if options.keep_rows:
        try:
            rows = rows_of_document(options.markdown.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError(f"{options.markdown}: no such file; leave --keep-rows out") from error
    else:
        rows = rows_of_study(options.study)
    write_text(tables_markdown(rows), options.markdown)


if __name__ == "__main__":
    run_stage(main)

"""Write the reference page of the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    markdown: Annotated[Path, typer.Option(help="page to write (Markdown)")],
    study: Annotated[Path, typer.Option(help="folder that holds data/ and results/")] = Path(),
    keep_rows: Annotated[
        bool, typer.Option("--keep-rows", help="keep the rows that the page shows; no study is needed")
    ] = False,
) -> None:
    r"""Write what each column of every table means, with real rows of a study that has been run.

    Raises:
        InputError: a file of the study is absent or is not what it should be.

    Example:
        edgebias tables --markdown docs/reference/tables.md
    """
    from edgebias.core.errors import InputError
    from edgebias.core.files import write_text
    from edgebias.report.table_reference.markdown import rows_of_document, rows_of_study, tables_markdown

    if keep_rows:
        try:
            rows = rows_of_document(markdown.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError(f"{markdown}: no such file; leave --keep-rows out") from error
    else:
        rows = rows_of_study(study)
    write_text(tables_markdown(rows), markdown)

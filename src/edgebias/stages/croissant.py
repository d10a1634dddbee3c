"""Describe our own suite for machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    output: Annotated[Path, typer.Option(help="metadata to write (JSON-LD)")],
    templates: Annotated[Path, typer.Option(help="folder of the suite's YAML files")] = Path("data/forced_choice"),
    items: Annotated[Path, typer.Option(help="item table (parquet)")] = Path("data/items/edge/forced_choice.parquet"),
    citation: Annotated[Path, typer.Option(help="citation file of the project")] = Path("CITATION.cff"),
) -> None:
    r"""Write the Croissant metadata of the forced-choice suite.

    Raises:
        InputError: a file is absent or is not what it should be.

    Example:
        edgebias croissant --output data/forced_choice/croissant.json
    """
    from edgebias.core.files import write_json
    from edgebias.suites.release.croissant import croissant

    write_json(croissant(templates=templates, items=items, citation=citation, output=output), output)

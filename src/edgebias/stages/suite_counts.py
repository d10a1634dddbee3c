"""Count what our own suite is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    templates: Annotated[Path, typer.Option(help="folder of the suite's YAML files")] = Path("data/forced_choice"),
) -> None:
    r"""Print templates, group pairs and items of each attribute of the forced-choice suite.

    Raises:
        InputError: a file is absent or is not what it should be.

    Example:
        edgebias suite-counts --templates data/forced_choice
    """
    from edgebias.suites.release.counts import count, counts_markdown

    print(counts_markdown(count(templates)), end="")

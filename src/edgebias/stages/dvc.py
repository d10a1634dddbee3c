"""Write ``dvc.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    snakefile: Annotated[Path, typer.Option(help="the workflow")] = Path("Snakefile"),
    output: Annotated[Path, typer.Option(help="file to write (YAML)")] = Path("dvc.yaml"),
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit status 2 where the file is not what would be written")
    ] = False,
) -> None:
    r"""Write dvc.yaml from the Snakefile, or check that it is current.

    Raises:
        InputError: the parameter file is absent or unfit, or the checked file is not current.

    Example:
        edgebias dvc --output dvc.yaml --check
    """
    from edgebias.workflow.dvc import write_dvc

    write_dvc(snakefile, output, check=check)

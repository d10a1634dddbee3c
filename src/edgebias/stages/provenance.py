"""Record what makes the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    output: Annotated[Path, typer.Option(help="record to write (JSON)")],
    file: Annotated[list[Path] | None, typer.Option(help="parameters or weights to hash; repeat for several")] = None,
) -> None:
    r"""Record versions, machine, git commit and SHA-256 of files; the result differs between machines.

    Raises:
        InputError: a file is absent.

    Example:
        edgebias provenance --file params.yaml --file data/models/m/full.gguf --output results/edge/provenance.json
    """
    from edgebias.core.files import write_json
    from edgebias.report.provenance import collect

    write_json(collect(file or [], Path.cwd()), output)

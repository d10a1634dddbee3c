"""Write the code hashes that the stages of ``dvc.yaml`` depend on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    names: Annotated[
        list[str], typer.Argument(help="a rule, then the registry entries that its job opens, parted by /")
    ],
    folder: Annotated[Path, typer.Option(help="where the files NAME.sha256 go")],
) -> None:
    r"""Write the hash of the code that jobs of a kind can run, one small file for each kind.

    DVC calls this whenever a file of the package changes. An edit of prose leaves the files as they were, and so
    nothing after it is done again.

    Raises:
        InputError: there is no such kind of job.

    Example:
        edgebias code-hashes --folder data/code compare score/bbq infer/bbq/llama
    """
    from edgebias.core.errors import InputError
    from edgebias.core.files import write_text
    from edgebias.study import read_study

    study = read_study()
    for name in names:
        try:
            found = study.code_named(name)
        except (KeyError, ValueError) as error:
            raise InputError(f"{name}: there is no such code; run `make dvc.yaml`") from error
        write_text(f"{found}\n", folder / f"{name}.sha256")

"""Write the code hashes that the stages of ``dvc.yaml`` depend on, one small file for each kind of job.

DVC runs this as the stage ``code`` whenever a file of the package changes. An edit of prose leaves the files as they
were, and so nothing after this stage.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import InputError, run_stage
from edgebias.core.files import write_text
from edgebias.study import read_study

EXAMPLE = "example: python -m edgebias.workflow.code --folder data/code compare score-bbq infer-bbq-llama"


def main(argv: Sequence[str] | None = None) -> None:
    """Write ``{name}.sha256`` for each name; see ``--help``."""
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.workflow.code",
        description="Write the hash of the code that jobs of a kind can run.",
        epilog=EXAMPLE,
    )
    parser.add_argument("--folder", required=True, type=Path, help="where the files go")
    parser.add_argument("names", nargs="+", help="a rule, then the registry entries that the job opens, joined by -")
    arguments = parser.parse_args(argv)
    study = read_study()
    for name in arguments.names:
        try:
            found = study.code_named(name)
        except (KeyError, ValueError) as error:
            raise InputError(f"{name}: there is no such code; run `make dvc.yaml`") from error
        write_text(f"{found}\n", arguments.folder / f"{name}.sha256")


if __name__ == "__main__":
    run_stage(main)

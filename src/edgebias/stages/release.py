"""Describe our own suite for others: ``python -m edgebias.stages.release croissant`` and ``... counts``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import run_stage

EXAMPLE = """example:
  python -m edgebias.stages.release counts
  python -m edgebias.stages.release croissant --output data/forced_choice/croissant.json
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Write the Croissant metadata of the forced-choice suite, or print what it is made of; see ``--help``.

    Raises:
        InputError: a file is absent or is not what it should be.
    """
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.release",
        description="Describe the forced-choice suite: Croissant metadata, and the counts of its datasheet.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tasks = parser.add_subparsers(dest="task", required=True)
    counts = tasks.add_parser("counts", help="print templates, group pairs and items of each attribute")
    metadata = tasks.add_parser("croissant", help="write the metadata (JSON-LD)")
    for task in (counts, metadata):
        task.add_argument("--templates", type=Path, default=Path("data/forced_choice"), help="the suite's YAML files")
    metadata.add_argument(
        "--items", type=Path, default=Path("data/items/edge/forced_choice.parquet"), help="item table"
    )
    metadata.add_argument("--citation", type=Path, default=Path("CITATION.cff"), help="citation file of the project")
    metadata.add_argument("--output", required=True, type=Path, help="the JSON-LD file to write")
    options = parser.parse_args(argv)

    if options.task == "counts":
        from edgebias.suites.release.counts import count, counts_markdown

        print(counts_markdown(count(options.templates)), end="")
        return
    from edgebias.core.files import write_json
    from edgebias.suites.release.croissant import croissant

    content = croissant(
        templates=options.templates, items=options.items, citation=options.citation, output=options.output
    )
    write_json(content, options.output)


if __name__ == "__main__":
    run_stage(main)

"""Command line of the prompts stage: one suite, one table of items."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import InputError, run_stage
from edgebias.core.files import write_parquet
from edgebias.core.settings import parse_settings
from edgebias.suites.building import build_items
from edgebias.suites.item import to_table
from edgebias.suites.registry import SUITES

EXAMPLE = """\
example:
  python -m edgebias.stages.prompts --suite winobias \\
    --output data/prompts/winobias.parquet --settings '{"seed": 1, "prompts.calibration_share": 0.5,
      "prompts.winobias": {"items_per_cluster": 2, "clusters_per_category": 40}}'
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table of items of one suite.

    Raises:
        InputError: a setting or a raw file is wrong.
    """
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.prompts",
        description="Turn one suite's raw files into a table of items, split by cluster and subsampled.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--settings", required=True, help="JSON with seed, prompts.calibration_share, prompts.SUITE")
    parser.add_argument("--suite", required=True, help=", ".join(SUITES.names()))
    parser.add_argument(
        "--raw-folder",
        type=Path,
        help="folder of its raw files; default: data/raw/benchmarks, or the folder of a suite's own files",
    )
    parser.add_argument("--output", required=True, type=Path, help="the parquet file to write")
    arguments = parser.parse_args(argv)
    if arguments.suite not in SUITES:
        raise InputError(f"--suite: {arguments.suite!r} is not known; it is one of {SUITES.names()}")
    settings = parse_settings(arguments.settings)
    folder = arguments.raw_folder or SUITES.get(arguments.suite).folder(Path("data/raw/benchmarks"))
    items = build_items(arguments.suite, folder, settings)
    write_parquet(to_table(items), arguments.output, sort_by=["item_id"])


if __name__ == "__main__":
    run_stage(main)

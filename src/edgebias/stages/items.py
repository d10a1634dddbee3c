"""Make the items of a suite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings, Suite


def run(
    settings: Settings,
    suite: Suite,
    output: Annotated[Path, typer.Option(help="item table to write (parquet)")],
    raw_folder: Annotated[
        Path | None,
        typer.Option(help="folder of its raw files (default: data/raw/benchmarks, or where a suite's own files lie)"),
    ] = None,
) -> None:
    r"""Turn one suite's raw files into a table of items, split by cluster and subsampled.

    Settings: ``seed``, ``prompts.calibration_share``, ``prompts.SUITE``.

    Raises:
        InputError: a setting or a raw file is wrong.

    Example:
        edgebias items --suite winobias \
          --output data/items/edge/winobias.parquet --settings '{"seed": 1, "prompts.calibration_share": 0.5,
            "prompts.winobias": {"items_per_cluster": 2, "clusters_per_category": 40}}'
    """
    from edgebias.core.errors import InputError
    from edgebias.core.files import write_parquet
    from edgebias.core.settings import parse_settings
    from edgebias.suites.building import build_items
    from edgebias.suites.item import to_table
    from edgebias.suites.registry import SUITES

    sections = parse_settings(settings)  # first: a suite may stand in a plugin that they name
    if suite not in SUITES:
        raise InputError(f"--suite: {suite!r} is not known; it is one of {SUITES.names()}")
    folder = raw_folder or SUITES.get(suite).folder(Path("data/raw/benchmarks"))
    items = build_items(suite, folder, sections)
    write_parquet(to_table(items), output, sort_by=["item_id"])

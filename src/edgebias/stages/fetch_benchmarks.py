"""Fetch the benchmark files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings


def run(
    settings: Settings,
    output_folder: Annotated[Path, typer.Option(help="folder that receives the files")],
) -> None:
    r"""Fetch the pinned benchmark files and check each against the blob that upstream published.

    Nothing that is fetched is ever executed. Settings: ``benchmarks``.

    Raises:
        InputError: the setting is wrong, or the source cannot be had or is not what its pin says.

    Example:
        edgebias fetch-benchmarks --output-folder data/raw/benchmarks \
          --settings '{"benchmarks": {"folder": "my/benchmarks"}}'
    """
    from edgebias.core.settings import parse_settings, value_of
    from edgebias.models.settings import BenchmarkSource
    from edgebias.suites.fetch import fetch_benchmarks

    source: BenchmarkSource = value_of(parse_settings(settings), "benchmarks", BenchmarkSource)
    fetch_benchmarks(source, "benchmarks", output_folder)

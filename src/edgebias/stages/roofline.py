"""Project builds on boards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    hardware: Annotated[Path, typer.Option(help="published figures of boards (CSV)")],
    output: Annotated[Path, typer.Option(help="projection to write (CSV)")],
    weights: Annotated[list[Path] | None, typer.Option(help="build {model}/{variant}.gguf; repeat for several")] = None,
) -> None:
    r"""Project what a Raspberry Pi's memory bandwidth and arithmetic allow each build.

    Tokens a second and time to first token follow from published figures: nothing is measured. Without builds the table
    is empty, as where all models answer through an endpoint.

    Raises:
        InputError: weights or the table of boards are unfit.

    Example:
        edgebias roofline --weights data/models/smollm2-135m-instruct/full.gguf \
          --weights data/models/smollm2-135m-instruct/q8_0.gguf --hardware data/hardware/raspberry_pi.csv \
          --output results/edge/roofline/projection.csv
    """
    from edgebias.core.files import write_csv
    from edgebias.models.roofline.build import read_build
    from edgebias.models.roofline.hardware import boards, read_hardware
    from edgebias.models.roofline.project import projection

    table = projection([read_build(path) for path in weights or ()], boards(read_hardware(hardware)))
    write_csv(table, output, sort_by=["board", "model", "variant"])

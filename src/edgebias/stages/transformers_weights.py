"""Convert a build for transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Weights


def run(
    weights: Weights,
    output_folder: Annotated[Path, typer.Option(help="folder that receives the six files")],
) -> None:
    r"""Convert a build to a Hugging Face folder with the same weights.

    Raises:
        InputError: the file is absent or unfit.

    Example:
        edgebias transformers-weights --weights data/models/m/full.gguf \
          --output-folder data/models/m/full.transformers
    """
    from edgebias.models.convert import convert

    convert(weights, output_folder)

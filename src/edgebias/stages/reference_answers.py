"""Write what the uncompressed build answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings, Weights


def run(
    settings: Settings,
    weights: Weights,
    answers: Annotated[Path, typer.Option(help="table of the answers to write (parquet)")],
) -> None:
    r"""Write what the uncompressed build answers to everyday requests.

    A mitigated build should still find these answers likely. Settings: ``seed``, ``infer``,
    ``mitigate.reference_answers``, ``models.NAME``, ``environments.NAME``.

    Raises:
        InputError: settings or weights are unfit, or the build answers nothing to a whole part.

    Example:
        edgebias reference-answers --settings params.yaml --weights data/models/m/full.gguf \
          --answers reference_answers.parquet
    """
    from edgebias.core.settings import parse_settings
    from edgebias.mitigate.reference_answers import write_reference_answers

    write_reference_answers(parse_settings(settings), weights=weights, answers=answers)

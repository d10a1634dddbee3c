"""Run the feedback loop offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import (
    Answers,
    DirectionsWithout,
    Gate,
    ItemsFolder,
    Settings,
    Texts,
    Weights,
    WrittenControlVector,
)


def run(
    settings: Settings,
    items_folder: ItemsFolder,
    texts: Texts,
    answers: Answers,
    weights: Weights,
    directions: Annotated[Path, typer.Option(help="what `edgebias shipped-directions` wrote (GGUF)")],
    directions_without: DirectionsWithout,
    control_vector: WrittenControlVector,
    trajectory: Annotated[Path, typer.Option(help="table of the rounds to write (CSV)")],
    state: Annotated[Path, typer.Option(help="gains and convergence to write (JSON)")],
    gate: Gate = None,
) -> None:
    r"""Run the feedback loop on calibration items and freeze its gains in a control vector.

    Settings: ``seed``, ``infer``, ``mitigate``, ``models.NAME``, ``environments.NAME``.

    Raises:
        InputError: settings, items, texts, directions or weights are unfit.

    Example:
        edgebias fit-feedback-loop --settings params.yaml --items-folder data/items/edge \
          --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \
          --answers reference_answers.parquet --weights data/models/m/wanda50_q8_0.gguf \
          --directions mean_of_folds.gguf \
          --directions-without all_but_fold_1.gguf --directions-without all_but_fold_2.gguf \
          --control-vector control_vector.gguf --trajectory trajectory.csv --state state.json
    """
    from edgebias.core.settings import parse_settings
    from edgebias.mitigate.steering.loop_fitting import fit

    fit(
        parse_settings(settings),
        items_folder=items_folder,
        texts=texts,
        answers=answers,
        weights=weights,
        directions=directions,
        directions_without=directions_without,
        gate=gate,
        control_vector=control_vector,
        trajectory=trajectory,
        state=state,
    )

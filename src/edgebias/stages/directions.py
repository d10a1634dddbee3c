"""Find the directions to steer along."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Answers, ItemsFolder, Settings, Texts, Weights, WrittenControlVector


def run(
    settings: Settings,
    source: Annotated[
        str, typer.Option(help="learned, gradient, difference_of_means, pca, probe or single_layer", metavar="NAME")
    ],
    items_folder: ItemsFolder,
    texts: Texts,
    answers: Answers,
    weights: Weights,
    control_vector: WrittenControlVector,
    training: Annotated[Path, typer.Option(help="table of the steps of learning to write (CSV)")],
    fitted_on: Annotated[
        str, typer.Option(help="all, or all_but_fold_1 and so on, up to mitigate.folds", metavar="NAME")
    ] = "all",
) -> None:
    r"""Find the directions to steer along, at a gain of 1, on calibration items.

    Settings: ``seed``, ``infer``, ``mitigate.suites``, ``mitigate.folds``, ``mitigate.learning``, ``models.NAME``,
    ``environments.NAME``.

    Raises:
        InputError: settings, items, texts or weights are unfit.

    Example:
        edgebias directions --settings params.yaml --source learned --fitted-on all_but_fold_1 \
          --items-folder data/items/edge --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \
          --answers reference_answers.parquet --weights data/models/m/wanda50_q8_0.gguf \
          --control-vector all_but_fold_1.gguf --training training.csv
    """
    from edgebias.core.settings import parse_settings
    from edgebias.mitigate.steering.finding import find

    find(
        parse_settings(settings),
        source=source,
        fitted_on=fitted_on,
        items_folder=items_folder,
        texts=texts,
        answers=answers,
        weights=weights,
        control_vector=control_vector,
        training=training,
    )

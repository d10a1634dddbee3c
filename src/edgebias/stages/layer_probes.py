"""Probe every block of a build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import ItemsFolder, Settings, Weights


def run(
    settings: Settings,
    items_folder: ItemsFolder,
    weights: Weights,
    table: Annotated[Path, typer.Option(help="table of the probes to write (CSV)")],
) -> None:
    r"""Measure how well each block tells contrast pairs apart, on calibration items.

    Settings: ``seed``, ``infer``, ``layer_probes``, ``models.NAME``, ``environments.NAME``.

    Raises:
        InputError: settings, items or weights are unfit, or there are fewer clusters than folds.

    Example:
        edgebias layer-probes --settings params.yaml --items-folder data/items/edge \
          --weights data/models/m/wanda50_q8_0.gguf --table layer_probes.csv
    """
    from edgebias.core.settings import parse_settings
    from edgebias.mitigate.probes.layer_probes import probe_layers

    probe_layers(parse_settings(settings), items_folder=items_folder, weights=weights, table=table)

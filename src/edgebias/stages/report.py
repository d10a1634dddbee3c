"""Write the numbers of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Hardware, ItemsFolder, Paper, Results, Settings, Variants


def run(
    settings: Settings,
    items_folder: ItemsFolder,
    variants_folder: Variants,
    results: Results,
    paper: Paper,
    hardware: Hardware,
    metrics: Annotated[Path, typer.Option(help="headline numbers to write (JSON)")],
) -> None:
    r"""Write the study's headline numbers, and the tables of the plots beside them (``plots/*.csv``).

    Settings: ``study``, ``models``, ``environments``, ``mitigate.suites``, ``mitigate.learning``.

    Raises:
        InputError: a file of the study is absent or unfit.

    Example:
        edgebias report --settings params.yaml --items-folder data/items/edge --variants-folder data/models \
          --results results/edge --paper data/paper/edge_bias.csv --hardware data/hardware/raspberry_pi.csv \
          --metrics results/edge/report/metrics.json
    """
    from edgebias.core.settings import parse_settings
    from edgebias.report.data import Sources, read_data
    from edgebias.report.metrics import write_metrics

    sources = Sources(items_folder, variants_folder, results, paper, hardware)
    write_metrics(read_data(parse_settings(settings), sources), metrics)

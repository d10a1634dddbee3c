"""Write the page of a study."""

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
    page: Annotated[Path, typer.Option(help="page to write (HTML)")],
) -> None:
    r"""Write the page of a study, which loads nothing from elsewhere, and its figures beside it (``figures/*.svg``).

    Costs and provenance are shown where they were recorded on this machine. Settings: as of ``edgebias report``.

    Raises:
        InputError: a file of the study is absent or unfit.

    Example:
        edgebias page --settings params.yaml --items-folder data/items/edge --variants-folder data/models \
          --results results/edge --paper data/paper/edge_bias.csv --hardware data/hardware/raspberry_pi.csv \
          --page results/edge/report/index.html
    """
    from edgebias.core.settings import parse_settings
    from edgebias.report.data import Sources, read_data
    from edgebias.report.page import write_page

    sources = Sources(items_folder, variants_folder, results, paper, hardware)
    write_page(read_data(parse_settings(settings), sources), page)

"""Split the excess of the edge build into model, build and environment."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgebias.stages.options import ItemsFolder, Settings

if TYPE_CHECKING:
    import pandas as pd

    from edgebias.core.cell import Cell


def run(
    settings: Settings,
    items_folder: ItemsFolder,
    responses_folder: Annotated[
        Path, typer.Option(help="holds the responses {environment}/{model}/{variant}/{suite}.parquet")
    ],
    output: Annotated[Path, typer.Option(help="table of components to write (CSV)")],
) -> None:
    r"""Split the excess of the edge build over each reference into model, build and environment, with intervals.

    Settings: ``seed``, ``study``, ``compare``.

    Raises:
        InputError: the settings or a table are unfit, or a deployed build is not among the cells.

    Example:
        edgebias decompose --settings params.yaml --items-folder data/items/mix \
          --responses-folder results/mix/responses --output results/mix/compare/decomposition.csv
    """
    from edgebias.core.files import read_table
    from edgebias.core.settings import keys_of, parse_settings, seed_of, value_of
    from edgebias.infer.study_settings import DecomposedCells
    from edgebias.score.contrasts.cells import read_study
    from edgebias.score.decomposition import DECOMPOSITION, crossing, decomposition_table
    from edgebias.score.settings import CompareSettings
    from edgebias.score.table import ITEM_COLUMNS, join, response_columns
    from edgebias.stats.bootstrap import Resampling

    sections = parse_settings(settings)
    wanted = value_of(sections, "compare", CompareSettings)
    study = read_study(sections)
    against = keys_of(sections, "study", DecomposedCells).references

    @cache
    def joined(cell: Cell, suite: str) -> pd.DataFrame | None:
        items = items_folder / f"{suite}.parquet"
        responses = responses_folder / cell.path / f"{suite}.parquet"
        if not responses.exists():  # a cell may be asked some suites, and an endpoint cannot answer all
            return None
        return join(
            read_table(items, ITEM_COLUMNS),
            read_table(responses, response_columns(suite)),
            suite=suite,
            items_name=items,
            responses_name=responses,
        )

    table = decomposition_table(
        [crossing(study.edge_build, reference, study.cells) for reference in against],
        study.suites,
        joined,
        Resampling(seed_of(sections), wanted.resamples, wanted.confidence),
    )
    DECOMPOSITION.write(table, output)

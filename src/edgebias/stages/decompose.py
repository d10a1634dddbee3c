"""Split the excess of the edge build into model, build and environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import ItemsFolder, Settings


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
        InputError: the settings or a table are unfit, a deployed build is not among the cells, or a cell has no
            responses at all.

    Example:
        edgebias decompose --settings params.yaml --items-folder data/items/mix \
          --responses-folder results/mix/responses --output results/mix/compare/decomposition.csv
    """
    from edgebias.core.settings import keys_of, parse_settings, seed_of, value_of
    from edgebias.infer.study_settings import DecomposedCells
    from edgebias.score.contrasts.cells import read_study
    from edgebias.score.contrasts.pairs import joined_or_told
    from edgebias.score.decomposition import DECOMPOSITION, crossing, decomposition_table
    from edgebias.score.settings import CompareSettings
    from edgebias.stats.bootstrap import Resampling

    sections = parse_settings(settings)
    wanted = value_of(sections, "compare", CompareSettings)
    study = read_study(sections)
    against = keys_of(sections, "study", DecomposedCells).references
    told = "decompose: {cell} has no responses to {suite}; the components are made without it"
    table = decomposition_table(
        [crossing(study.edge_build, reference, study.cells) for reference in against],
        study.suites,
        joined_or_told(items_folder, responses_folder, study.suites, told),
        Resampling(seed_of(sections), wanted.resamples, wanted.confidence),
    )
    DECOMPOSITION.write(table, output)

"""Compare what vectors win back of the bias of compressed builds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgebias.stages.options import ItemsFolder, Results, Settings, Variants


def run(
    settings: Settings,
    items_folder: ItemsFolder,
    variants_folder: Variants,
    results: Results,
    output: Annotated[Path, typer.Option(help="table of what vectors win back to write (CSV)")],
) -> None:
    r"""Compare each build's own control vector, that of the full build and no vector, on held-out items.

    Settings: ``seed``, ``study.wins_back``, ``study.methods``, ``mitigate.resamples``, ``mitigate.confidence``.

    Raises:
        InputError: the settings, a table or a record of a build are unfit, or a method was not run on a build.

    Example:
        edgebias wins-back --settings params.yaml --items-folder data/items/wins_back --variants-folder data/models \
          --results results/wins_back --output results/wins_back/mitigation/wins_back.csv
    """
    from edgebias.core.record import ListOf
    from edgebias.core.settings import keys_of, parse_settings, seed_of, value_of
    from edgebias.infer.study_settings import CellName
    from edgebias.mitigate.pairs import pairs_of
    from edgebias.mitigate.registry import choose_all
    from edgebias.mitigate.wins_back import WINS_BACK, Evaluated, wins_back_table
    from edgebias.score.settings import IntervalSettings
    from edgebias.score.trust.builds import read_builds
    from edgebias.stats.bootstrap import Resampling

    sections = parse_settings(settings)
    how = keys_of(sections, "mitigate", IntervalSettings)
    cells = [name.cell for name in value_of(sections, "study.wins_back", ListOf[CellName])]
    methods = value_of(sections, "study.methods", list[Any])
    table = wins_back_table(
        cells,
        pairs_of(choose_all(methods)),
        Evaluated(items_folder, results),
        read_builds(cells, variants_folder),
        Resampling(seed_of(sections), how.resamples, how.confidence),
    )
    WINS_BACK.write(table, output)

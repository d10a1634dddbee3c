"""Contrast the cells of a study."""

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
    scores_folder: Annotated[Path, typer.Option(help="holds {environment}/{model}/{variant}/over_time.csv")],
    contrasts: Annotated[Path, typer.Option(help="table of contrasts to write (CSV)")],
    flips: Annotated[Path, typer.Option(help="table of changed answers to write (CSV)")],
    headline: Annotated[Path, typer.Option(help="headline numbers to write (JSON)")],
) -> None:
    r"""Contrast environments and builds on the same items, in pairs, with the answers that change between them.

    The headline numbers of the paper come with them.

    Settings: ``seed``, ``study``, ``compare``.

    Raises:
        InputError: the settings or a table are unfit, or a cell has no responses at all.

    Example:
        edgebias compare --settings params.yaml --items-folder data/items/edge \
          --responses-folder results/edge/responses --scores-folder results/edge/scores \
          --contrasts results/edge/compare/contrasts.csv --flips results/edge/compare/flips.csv \
          --headline results/edge/compare/headline.json
    """
    from edgebias.core.files import read_table, write_json
    from edgebias.core.settings import parse_settings, seed_of, value_of
    from edgebias.score.contrasts.cells import contrasts_of, read_study
    from edgebias.score.contrasts.flips import CELL_FLIP, flip_table
    from edgebias.score.contrasts.headline import headline as headline_of
    from edgebias.score.contrasts.pairs import joined_or_told
    from edgebias.score.contrasts.table import CONTRAST, contrast_table
    from edgebias.score.rounds import OVER_TIME_COLUMNS
    from edgebias.score.settings import CompareSettings
    from edgebias.stats.bootstrap import Resampling

    sections = parse_settings(settings)
    wanted = value_of(sections, "compare", CompareSettings)
    how = Resampling(seed_of(sections), wanted.resamples, wanted.confidence)
    study = read_study(sections)

    told = "compare: {cell} has no responses to {suite}; its contrasts are left out"
    joined = joined_or_told(items_folder, responses_folder, study.suites, told)
    over_time = {
        cell: read_table(scores_folder / cell.path / "over_time.csv", OVER_TIME_COLUMNS) for cell in study.rounds
    }
    pairs = contrasts_of(study)
    table = contrast_table(pairs, study.suites, joined, how, wanted.correction)
    changed = flip_table(pairs, study.suites, joined, how, wanted.correction)
    result = headline_of(study, joined, over_time, how)
    CONTRAST.write(table, contrasts)
    CELL_FLIP.write(changed, flips)
    write_json(result, headline)

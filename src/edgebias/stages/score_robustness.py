"""Score format robustness over all cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Items, Settings


def run(
    settings: Settings,
    items: Items,
    responses_folder: Annotated[Path, typer.Option(help="holds {environment}/{model}/{variant}.parquet")],
    variance: Annotated[Path, typer.Option(help="shares of variance to write (CSV)")],
    positions: Annotated[Path, typer.Option(help="position bias to write (CSV)")],
    flips: Annotated[Path, typer.Option(help="flip rates to write (CSV)")],
    levels: Annotated[Path, typer.Option(help="scores at each level to write (CSV)")],
) -> None:
    r"""Score crossed answers: shares of variance, position bias, flips, and scores by format.

    Settings: ``seed``, ``score``, ``study``.

    Raises:
        InputError: the settings or a table are unfit.

    Example:
        edgebias score-robustness --settings params.yaml --items data/items/edge/bbq.parquet \
          --responses-folder results/edge/robustness --variance results/edge/robustness/variance_shares.csv \
          --positions results/edge/robustness/position_bias.csv --flips results/edge/robustness/flip_rates.csv \
          --levels results/edge/robustness/by_level.csv
    """
    from edgebias.core.errors import InputError
    from edgebias.core.files import read_table
    from edgebias.core.settings import keys_of, parse_settings, seed_of, value_of
    from edgebias.infer.study_settings import RobustCells
    from edgebias.score.robustness import tables
    from edgebias.score.robustness.crossed import ITEM_COLUMNS, RESPONSE_COLUMNS, read_crossed
    from edgebias.score.settings import IntervalSettings

    sections = parse_settings(settings)
    cells = [name.cell for name in keys_of(sections, "study", RobustCells).robustness]
    if not cells:
        raise InputError("--settings: study.robustness names no cell; name some, or leave this stage out")
    how = value_of(sections, "score", IntervalSettings)
    intervals = tables.Intervals(seed_of(sections), how.resamples, how.confidence)
    asked = read_table(items, ITEM_COLUMNS)
    answers = {}
    for cell in cells:
        path = responses_folder / f"{cell.path}.parquet"
        responses = read_table(path, RESPONSE_COLUMNS)
        answers[cell] = read_crossed(asked, responses, items_name=items, responses_name=path)
    tables.VARIANCE.write(tables.variance_table(answers, intervals.confidence), variance)
    tables.POSITION.write(tables.position_table(answers, intervals), positions)
    tables.FLIP.write(tables.flip_table(answers, intervals), flips)
    tables.LEVEL.write(tables.level_table(answers, intervals), levels)

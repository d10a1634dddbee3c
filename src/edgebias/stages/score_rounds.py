"""Score the rounds of one cell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Items, Settings, WrittenScores


def run(
    settings: Settings,
    items: Items,
    responses: Annotated[Path, typer.Option(help="rounds of the cell (parquet)")],
    output: WrittenScores,
    trajectory: Annotated[Path, typer.Option(help="table of the sliding window to write (CSV)")],
) -> None:
    r"""Score repeated prompts: stereotype rate, drift, slope on log(round), and a sliding window.

    Settings: ``seed``, ``score``.

    Raises:
        InputError: the settings or a table are unfit.

    Example:
        edgebias score-rounds --settings params.yaml --items data/items/edge/forced_choice.parquet \
          --responses results/edge/rounds/edge/smollm2-135m-instruct/full.parquet \
          --output results/edge/scores/edge/smollm2-135m-instruct/full/over_time.csv \
          --trajectory results/edge/scores/edge/smollm2-135m-instruct/full/over_time_rounds.csv
    """
    from edgebias.core.files import read_table
    from edgebias.core.settings import parse_settings, seed_of, value_of
    from edgebias.score.rounds import (
        ITEM_COLUMNS,
        OVER_TIME,
        ROUND_COLUMNS,
        TRAJECTORY,
        check_rounds,
        over_time_table,
        trajectory_table,
    )
    from edgebias.score.settings import IntervalSettings

    sections = parse_settings(settings)
    seed, how = seed_of(sections), value_of(sections, "score", IntervalSettings)
    rounds = check_rounds(
        read_table(items, ITEM_COLUMNS),
        read_table(responses, ROUND_COLUMNS),
        items_name=items,
        responses_name=responses,
    )
    table = over_time_table(rounds, seed=seed, resamples=how.resamples, confidence=how.confidence)
    OVER_TIME.write(table, output)
    TRAJECTORY.write(trajectory_table(rounds), trajectory)

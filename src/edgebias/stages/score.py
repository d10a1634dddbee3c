"""Score the responses of one cell to one suite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Items, Settings, Suite, WrittenScores


def run(
    settings: Settings,
    suite: Suite,
    items: Items,
    responses: Annotated[Path, typer.Option(help="responses of the cell to these items (parquet)")],
    output: WrittenScores,
) -> None:
    r"""Score the responses of one cell: every metric of the suite with its interval, n and coverage.

    Settings: ``seed``, ``score``.

    Raises:
        InputError: the suite is not known, or the settings or a table are unfit.

    Example:
        edgebias score --settings params.yaml --suite bbq --items data/items/edge/bbq.parquet \
          --responses results/edge/responses/edge/smollm2-135m-instruct/full/bbq.parquet \
          --output results/edge/scores/edge/smollm2-135m-instruct/full/bbq.csv
    """
    from edgebias.core.errors import InputError
    from edgebias.core.files import read_table
    from edgebias.core.settings import parse_settings, seed_of, value_of
    from edgebias.score.settings import IntervalSettings
    from edgebias.score.table import ITEM_COLUMNS, SCORE, join, response_columns, score_table
    from edgebias.suites.registry import SUITES

    sections = parse_settings(settings)
    seed, how = seed_of(sections), value_of(sections, "score", IntervalSettings)
    if suite not in SUITES:
        raise InputError(f"--suite {suite}: unknown; choose one of {SUITES.names()}")
    joined = join(
        read_table(items, ITEM_COLUMNS),
        read_table(responses, response_columns(suite)),
        suite=suite,
        items_name=items,
        responses_name=responses,
    )
    SCORE.write(score_table(joined, suite=suite, seed=seed, resamples=how.resamples, confidence=how.confidence), output)

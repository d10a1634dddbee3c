"""Command line of the stage ``score_robustness``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import run_stage

EXAMPLE = """example:
  python -m edgebias.stages.score_robustness --settings params.yaml --items data/prompts/bbq.parquet \\
    --responses-folder results/robustness --variance results/robustness/variance_shares.csv \\
    --positions results/robustness/position_bias.csv --flips results/robustness/flip_rates.csv \\
    --levels results/robustness/by_level.csv
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Score format robustness over all cells that were asked; see ``--help``.

    Raises:
        InputError: the settings or a table are unfit.
    """
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.score_robustness",
        description="Shares of variance, position bias, flips and scores by format, from crossed answers.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--settings", required=True, help="inline JSON or FILE with the keys seed, score and study")
    parser.add_argument("--items", required=True, type=Path, help="the items that were crossed (parquet)")
    parser.add_argument(
        "--responses-folder", required=True, type=Path, help="holds {environment}/{model}/{variant}.parquet"
    )
    parser.add_argument("--variance", required=True, type=Path, help="shares of variance to write (CSV)")
    parser.add_argument("--positions", required=True, type=Path, help="position bias to write (CSV)")
    parser.add_argument("--flips", required=True, type=Path, help="flip rates to write (CSV)")
    parser.add_argument("--levels", required=True, type=Path, help="scores at each level to write (CSV)")
    arguments = parser.parse_args(argv)

    from edgebias.core.cell import Cell
    from edgebias.core.errors import InputError
    from edgebias.core.files import read_table
    from edgebias.core.settings import parse_settings, require
    from edgebias.score.robustness import tables
    from edgebias.score.robustness.crossed import ITEM_COLUMNS, RESPONSE_COLUMNS, read_crossed
    from edgebias.score.settings import interval_settings

    settings = parse_settings(arguments.settings)
    require(settings, "study")
    cells = [Cell(**entry) for entry in settings["study"].get("robustness", [])]
    if not cells:
        raise InputError("--settings: study.robustness names no cell; name some, or leave this stage out")
    intervals = tables.Intervals(*interval_settings(settings, "score"))
    items = read_table(arguments.items, ITEM_COLUMNS)
    answers = {}
    for cell in cells:
        path = arguments.responses_folder / f"{cell.path}.parquet"
        responses = read_table(path, RESPONSE_COLUMNS)
        answers[cell] = read_crossed(items, responses, items_name=arguments.items, responses_name=path)
    for kind, table, path in (
        (tables.VARIANCE, tables.variance_table(answers, intervals.confidence), arguments.variance),
        (tables.POSITION, tables.position_table(answers, intervals), arguments.positions),
        (tables.FLIP, tables.flip_table(answers, intervals), arguments.flips),
        (tables.LEVEL, tables.level_table(answers, intervals), arguments.levels),
    ):
        kind.write(table, path)


if __name__ == "__main__":
    run_stage(main)

"""Command line of the stage ``score_rounds``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import run_stage

EXAMPLE = """example:
  python -m edgebias.stages.score_rounds --settings params.yaml \\
    --items data/prompts/forced_choice.parquet \\
    --responses results/rounds/edge/smollm2-135m-instruct/full.parquet \\
    --output results/scores/edge/smollm2-135m-instruct/full/over_time.csv \\
    --trajectory results/scores/edge/smollm2-135m-instruct/full/over_time_rounds.csv
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Score the rounds of one cell; see ``--help``."""
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.score_rounds",
        description="Score repeated prompts: stereotype rate, drift, slope on log(round), and a sliding window.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--settings", required=True, help="inline JSON or FILE[#key] with the keys seed and score")
    parser.add_argument("--items", required=True, type=Path, help="data/prompts/forced_choice.parquet")
    parser.add_argument("--responses", required=True, type=Path, help="rounds of the cell")
    parser.add_argument("--output", required=True, type=Path, help="score table to write (CSV)")
    parser.add_argument("--trajectory", required=True, type=Path, help="table of the sliding window to write (CSV)")
    arguments = parser.parse_args(argv)

    from edgebias.core.files import read_table
    from edgebias.core.settings import parse_settings
    from edgebias.score.rounds import (
        ITEM_COLUMNS,
        OVER_TIME,
        ROUND_COLUMNS,
        TRAJECTORY,
        check_rounds,
        over_time_table,
        trajectory_table,
    )
    from edgebias.score.settings import interval_settings

    seed, resamples, confidence = interval_settings(parse_settings(arguments.settings), "score")
    rounds = check_rounds(
        read_table(arguments.items, ITEM_COLUMNS),
        read_table(arguments.responses, ROUND_COLUMNS),
        items_name=arguments.items,
        responses_name=arguments.responses,
    )
    table = over_time_table(rounds, seed=seed, resamples=resamples, confidence=confidence)
    OVER_TIME.write(table, arguments.output)
    TRAJECTORY.write(trajectory_table(rounds), arguments.trajectory)


if __name__ == "__main__":
    run_stage(main)

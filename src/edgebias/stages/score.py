"""Command line of the stage ``score``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import InputError, run_stage
from edgebias.core.settings import parse_settings
from edgebias.score.settings import interval_settings

EXAMPLE = """example:
  python -m edgebias.stages.score --settings params.yaml --suite bbq \\
    --items data/prompts/bbq.parquet \\
    --responses results/responses/edge/smollm2-135m-instruct/full/bbq.parquet \\
    --output results/scores/edge/smollm2-135m-instruct/full/bbq.csv
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Score one cell; see ``--help``."""
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.score",
        description="Score the responses of one cell: every metric of the suite with its interval, n and coverage.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--settings", required=True, help="inline JSON or FILE[#key] with the keys seed and score")
    parser.add_argument("--suite", required=True, help="name of the suite, such as bbq or stereoset")
    parser.add_argument("--items", required=True, type=Path, help="data/prompts/{suite}.parquet")
    parser.add_argument("--responses", required=True, type=Path, help="responses of the cell to these items")
    parser.add_argument("--output", required=True, type=Path, help="score table to write (CSV)")
    arguments = parser.parse_args(argv)
    settings = parse_settings(arguments.settings)
    seed, resamples, confidence = interval_settings(settings, "score")

    from edgebias.core.files import read_table
    from edgebias.score.table import ITEM_COLUMNS, SCORE, join, response_columns, score_table
    from edgebias.suites.registry import SUITES

    if arguments.suite not in SUITES:
        raise InputError(f"--suite {arguments.suite}: unknown; choose one of {SUITES.names()}")
    joined = join(
        read_table(arguments.items, ITEM_COLUMNS),
        read_table(arguments.responses, response_columns(arguments.suite)),
        suite=arguments.suite,
        items_name=arguments.items,
        responses_name=arguments.responses,
    )
    table = score_table(joined, suite=arguments.suite, seed=seed, resamples=resamples, confidence=confidence)
    SCORE.write(table, arguments.output)


if __name__ == "__main__":
    run_stage(main)

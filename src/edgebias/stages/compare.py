"""Command line of the stage ``compare``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from edgebias.core.errors import InputError, run_stage

if TYPE_CHECKING:
    import pandas as pd

    from edgebias.core.cell import Cell

EXAMPLE = """example:
  python -m edgebias.stages.compare --settings params.yaml --items-folder data/prompts \\
    --responses-folder results/responses --scores-folder results/scores \\
    --contrasts results/compare/contrasts.csv --headline results/compare/headline.json
"""
CORRECTIONS = ("holm", "bonferroni", "fdr_bh", "fdr_by")


def main(argv: Sequence[str] | None = None) -> None:
    """Contrast the cells of a study; see ``--help``."""
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.compare",
        description="Paired contrasts of environments and builds on the same items, and the headline numbers.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--settings", required=True, help="inline JSON or FILE[#key] with seed, study and compare")
    parser.add_argument("--items-folder", required=True, type=Path, help="holds {suite}.parquet")
    parser.add_argument(
        "--responses-folder", required=True, type=Path, help="holds {environment}/{model}/{variant}/{suite}.parquet"
    )
    parser.add_argument(
        "--scores-folder", required=True, type=Path, help="holds {environment}/{model}/{variant}/over_time.csv"
    )
    parser.add_argument("--contrasts", required=True, type=Path, help="table of contrasts to write (CSV)")
    parser.add_argument("--headline", required=True, type=Path, help="headline numbers to write (JSON)")
    arguments = parser.parse_args(argv)

    from edgebias.core.files import read_table, write_json
    from edgebias.core.settings import parse_settings
    from edgebias.score.contrasts.cells import contrasts_of, read_study
    from edgebias.score.contrasts.headline import headline
    from edgebias.score.contrasts.table import CONTRAST, contrast_table
    from edgebias.score.rounds import OVER_TIME_COLUMNS
    from edgebias.score.settings import interval_settings
    from edgebias.score.table import ITEM_COLUMNS, join, response_columns
    from edgebias.stats.bootstrap import Resampling
    from edgebias.suites.registry import SUITES

    settings = parse_settings(arguments.settings)
    how = Resampling(*interval_settings(settings, "compare"))
    correction = settings["compare"].get("correction", "holm")
    if correction not in CORRECTIONS:
        raise InputError(f"--settings: compare.correction is {correction!r}; choose one of {list(CORRECTIONS)}")
    study = read_study(settings)
    for suite in study.suites:
        if suite not in SUITES:
            raise InputError(f"--settings: study.suites has {suite!r}; choose among {SUITES.names()}")

    @cache
    def joined(cell: Cell, suite: str) -> pd.DataFrame | None:
        items = arguments.items_folder / f"{suite}.parquet"
        responses = arguments.responses_folder / cell.path / f"{suite}.parquet"
        if not responses.exists():
            # an endpoint without log-probabilities cannot answer sentence suites; a cell without any answers is a fault
            if not any((responses.parent / f"{other}.parquet").exists() for other in study.suites):
                raise InputError(f"{responses.parent}: holds no responses to {list(study.suites)}; run the infer stage")
            print(f"compare: {cell.path} has no responses to {suite}; its contrasts are left out", file=sys.stderr)
            return None
        return join(
            read_table(items, ITEM_COLUMNS),
            read_table(responses, response_columns(suite)),
            suite=suite,
            items_name=items,
            responses_name=responses,
        )

    over_time = {
        cell: read_table(arguments.scores_folder / cell.path / "over_time.csv", OVER_TIME_COLUMNS)
        for cell in study.rounds
    }
    table = contrast_table(contrasts_of(study), study.suites, joined, how, correction)
    result = headline(study, joined, over_time, how)
    CONTRAST.write(table, arguments.contrasts)
    write_json(result, arguments.headline)


if __name__ == "__main__":
    run_stage(main)

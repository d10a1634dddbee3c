"""Command line of the oracle: check a scorer on the real files with responders whose exact scores are known."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import InputError, run_stage

EXAMPLE = """examples:
  python -m edgebias.stages.oracle                                   our scorers, every suite
  python -m edgebias.stages.oracle --suite bbq --scorer helm --output helm.csv
  python -m edgebias.stages.oracle --suite bbq --scorer my_package.my_module:score
A scorer is a function (suite, items, replies, raw_folder) -> {metric: per cent}.
docs/how-to/check-a-scorer.md shows one.
The exit status is 1 where a score differs from what it must be.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the responders, print the summary, write the tables; exit with 1 where a score differs.

    Raises:
        InputError: a suite or scorer is not known, the benchmark files are absent or unfit, or no score was checked.
    """
    from edgebias.checks.oracle.scorers import NAMED
    from edgebias.suites.registry import SUITES

    known = SUITES.names()
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.oracle",
        description="Check scorers with synthetic responders whose exact scores are known.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--suite", action="append", choices=known, help="repeat for several; default: all")
    parser.add_argument(
        "--scorer",
        action="append",
        help=f"one of {', '.join(NAMED)}, or module:function; repeat for several; default: edgebias, edgebias-text",
    )
    parser.add_argument("--category", action="append", help="only this category of the suite; repeat for several")
    parser.add_argument("--raw-folder", type=Path, default=Path("data/raw/benchmarks"), help="fetched benchmark files")
    parser.add_argument("--output", type=Path, help="every check as CSV")
    parser.add_argument("--markdown", type=Path, help="the tables of docs/results/oracle.md")
    options = parser.parse_args(argv)

    import pandas as pd
    from tqdm import tqdm

    from edgebias.checks.oracle.check import COLUMNS, Check, run_checks
    from edgebias.checks.oracle.items import suite_items
    from edgebias.checks.oracle.report import markdown, summary
    from edgebias.checks.oracle.responders import responders_of
    from edgebias.checks.oracle.scorers import load_scorer
    from edgebias.core.files import write_csv, write_text

    suites = options.suite or known
    scorers = {name: load_scorer(name) for name in options.scorer or ["edgebias", "edgebias-text"]}
    work = [(suite, name, responder) for suite in suites for name in scorers for responder in responders_of(suite)]
    folders = {suite: SUITES.get(suite).folder(options.raw_folder) for suite in suites}
    items = {suite: suite_items(suite, folders[suite], options.category) for suite in suites}
    checks: list[Check] = []
    for suite, name, responder in tqdm(work, desc="oracle", unit="responder", mininterval=5, ascii=True):
        checks += run_checks(suite, items[suite], responder, name, scorers[name], options.raw_folder)
    if not checks:
        raise InputError(f"--scorer: {list(scorers)} give no score of {suites}; name a suite that they know")
    table = pd.DataFrame([[getattr(check, column) for column in COLUMNS] for check in checks], columns=list(COLUMNS))
    if options.output:
        write_csv(table, options.output, list(COLUMNS[:5]))
    if options.markdown:
        write_text(markdown(checks), options.markdown)
    print(summary(checks), end="")
    if not all(check.agrees for check in checks):
        sys.exit(1)


if __name__ == "__main__":
    run_stage(main)

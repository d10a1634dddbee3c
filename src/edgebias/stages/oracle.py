"""Check a scorer with responders whose exact scores are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import RawFolder


def run(
    suite: Annotated[list[str] | None, typer.Option(help="only this suite; repeat for several", metavar="NAME")] = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(
            help="edgebias, edgebias-text, helm, lm-eval-generate, lm-eval-multiple-choice, or MODULE:FUNCTION; "
            "repeat for several (default: edgebias and edgebias-text)",
            metavar="NAME",
        ),
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="only this category of the suite; repeat for several", metavar="NAME")
    ] = None,
    raw_folder: RawFolder = Path("data/raw/benchmarks"),
    output: Annotated[Path | None, typer.Option(help="every check, to write (CSV)")] = None,
    markdown: Annotated[Path | None, typer.Option(help="tables of the documentation, to write (Markdown)")] = None,
) -> None:
    r"""Check scorers with synthetic responders whose exact scores are known.

    A scorer is a function (suite, items, replies, raw_folder) -> {metric: per cent}. Without options our own scorers
    are checked on every suite, but for those whose file another package carries and that are not fetched. The exit
    status is 1 where a score differs from what it must be.

    Raises:
        InputError: a suite or scorer is not known, the benchmark files are absent or unfit, or no score was checked.

    Example:
        edgebias oracle --suite bbq --scorer helm --output helm.csv
        edgebias oracle --suite bbq --scorer my_package.my_module:score
    """
    import pandas as pd
    from tqdm import tqdm

    from edgebias.checks.oracle.check import COLUMNS, Check, run_checks
    from edgebias.checks.oracle.items import suite_items
    from edgebias.checks.oracle.report import markdown as markdown_of
    from edgebias.checks.oracle.report import summary
    from edgebias.checks.oracle.responders import responders_of
    from edgebias.checks.oracle.scorers import load_scorer
    from edgebias.core.errors import InputError
    from edgebias.core.files import write_csv, write_text
    from edgebias.suites.registry import SUITES

    suites = suite or [name for name in SUITES.names() if _is_here(name, raw_folder)]
    for name in suites:
        if name not in SUITES:
            raise InputError(f"--suite {name}: unknown; choose among {SUITES.names()}")
    scorers = {name: load_scorer(name) for name in scorer or ["edgebias", "edgebias-text"]}
    work = [(name, by, responder) for name in suites for by in scorers for responder in responders_of(name)]
    folders = {name: SUITES.get(name).folder(raw_folder) for name in suites}
    items = {name: suite_items(name, folders[name], category) for name in suites}
    checks: list[Check] = []
    for name, by, responder in tqdm(work, desc="oracle", unit="responder", mininterval=5, ascii=True):
        checks += run_checks(name, items[name], responder, by, scorers[by], raw_folder)
    if not checks:
        raise InputError(f"--scorer: {list(scorers)} give no score of {suites}; name a suite that they know")
    table = pd.DataFrame([[getattr(check, column) for column in COLUMNS] for check in checks], columns=list(COLUMNS))
    if output:
        write_csv(table, output, list(COLUMNS[:5]))
    if markdown:
        write_text(markdown_of(checks), markdown)
    print(summary(checks), end="")
    if not all(check.agrees for check in checks):
        raise SystemExit(1)


def _is_here(suite: str, raw_folder: Path) -> bool:
    """Return whether no file of ``suite`` that only a study with the suite fetches is absent."""
    from edgebias.suites.registry import SUITES

    return all(file.wheel is None or (raw_folder / file.path).is_file() for file in SUITES.get(suite).files)

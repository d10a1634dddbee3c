"""Compare builds that were trained on texts that the model wrote itself."""

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
    output: Annotated[Path, typer.Option(help="table of scores and changes to write (CSV)")],
    trends: Annotated[Path, typer.Option(help="table of trends to write (CSV)")],
    mitigations: Annotated[Path, typer.Option(help="table of mitigations to write (CSV)")],
    written: Annotated[Path, typer.Option(help="table of the texts that the model wrote to write (CSV)")],
    texts: Annotated[list[Path] | None, typer.Option(help="augmented texts; may be given more than once")] = None,
) -> None:
    r"""Compare scores with the share of training examples that the model wrote, and what mitigations take away.

    Settings: ``seed``, ``study``, ``compare``, and ``trained_on``: of each trained variant its ratio, type of bias,
    mitigation and seed, which the pipeline reads from ``mixtures`` and ``variants``.

    Raises:
        InputError: the settings or a table are unfit, or no cell was trained at ratio 0.

    Example:
        edgebias inheritance --settings inheritance.json --items-folder data/items/inheritance \
          --responses-folder results/inheritance/responses --output results/inheritance/compare/inheritance.csv \
          --trends results/inheritance/compare/inheritance_trends.csv \
          --mitigations results/inheritance/compare/inheritance_mitigations.csv \
          --written results/inheritance/compare/inheritance_texts.csv
    """
    from edgebias.core.errors import InputError
    from edgebias.core.files import read_table
    from edgebias.core.settings import parse_settings, seed_of, value_of
    from edgebias.score.contrasts.cells import read_study
    from edgebias.score.contrasts.pairs import joined_responses
    from edgebias.score.inheritance.builds import TrainedOn
    from edgebias.score.inheritance.table import INHERITANCE, MITIGATED, TREND, WRITTEN_TEXTS, inheritance_tables
    from edgebias.score.inheritance.table import texts_table as count_texts
    from edgebias.score.settings import CompareSettings
    from edgebias.stats.bootstrap import Resampling
    from edgebias.train.augment import KEPT

    sections = parse_settings(settings)
    wanted = value_of(sections, "compare", CompareSettings)
    builds = value_of(sections, "trained_on", dict[str, TrainedOn])
    study = read_study(sections)
    if not any(cell.variant in builds for cell in study.cells):
        raise InputError("--settings: no cell of study.cells is in trained_on; name variants trained on a mixture")
    how = Resampling(seed_of(sections), wanted.resamples, wanted.confidence)
    joined = joined_responses(items_folder, responses_folder)
    tables = inheritance_tables(study.cells, study.suites, builds, joined, how, wanted.correction)
    counts = count_texts([read_table(path, ("kind", "job", "gender", "outcome")) for path in texts or ()], KEPT)
    for table, found, path in zip((INHERITANCE, TREND, MITIGATED), tables, (output, trends, mitigations), strict=True):
        table.write(found, path)
    WRITTEN_TEXTS.write(counts, written)

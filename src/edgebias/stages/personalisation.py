"""Measure whether it matters who asks: PB beside its noise floor, and which identity differs."""

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
    output: Annotated[Path, typer.Option(help="table of PB beside its noise floor to write (CSV)")],
    identities: Annotated[Path, typer.Option(help="table of identities and groups to write (CSV)")],
) -> None:
    r"""Measure whether safety and utility depend on who asks, beyond noise, and for which identity.

    Settings: ``seed``, ``study``, ``compare``.

    Raises:
        InputError: the settings or a table are unfit, or no suite of the study asks as several identities.

    Example:
        edgebias personalisation --settings params.yaml --items-folder data/items/personalisation \
          --responses-folder results/personalisation/responses \
          --output results/personalisation/compare/personalisation.csv \
          --identities results/personalisation/compare/personalisation_identities.csv
    """
    from edgebias.core.errors import InputError
    from edgebias.core.settings import parse_settings, seed_of, value_of
    from edgebias.score.contrasts.cells import read_study
    from edgebias.score.contrasts.pairs import joined_responses
    from edgebias.score.personalisation.table import IDENTITY_SCORE, PERSONALISATION, personalisation_tables
    from edgebias.score.settings import CompareSettings
    from edgebias.stats.bootstrap import Resampling
    from edgebias.suites.identities import SUITE_OF

    sections = parse_settings(settings)
    wanted = value_of(sections, "compare", CompareSettings)
    study = read_study(sections)
    if not set(SUITE_OF.values()) & set(study.suites):
        raise InputError(f"--settings: study.suites has none of {', '.join(SUITE_OF.values())}; add one")
    how = Resampling(seed_of(sections), wanted.resamples, wanted.confidence)
    joined = joined_responses(items_folder, responses_folder)
    biases, scores = personalisation_tables(study.cells, joined, how, wanted.correction)
    PERSONALISATION.write(biases, output)
    IDENTITY_SCORE.write(scores, identities)

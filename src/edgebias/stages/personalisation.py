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
    mitigations: Annotated[Path, typer.Option(help="table of defences in the prompt and tuned builds to write (CSV)")],
) -> None:
    r"""Measure whether safety and utility depend on who asks, beyond noise, for which identity, and what helps.

    Settings: ``seed``, ``study``, ``compare``, ``variants``.

    Raises:
        InputError: the settings or a table are unfit, or no suite of the study asks as several identities.

    Example:
        edgebias personalisation --settings params.yaml --items-folder data/items/personalisation \
          --responses-folder results/personalisation/responses \
          --output results/personalisation/compare/personalisation.csv \
          --identities results/personalisation/compare/personalisation_identities.csv \
          --mitigations results/personalisation/compare/personalisation_mitigations.csv
    """
    from edgebias.core.errors import InputError
    from edgebias.core.files import read_table
    from edgebias.core.settings import parse_settings, seed_of, value_of
    from edgebias.score.contrasts.cells import REFERENCE_VARIANT, read_study
    from edgebias.score.contrasts.pairs import joined_responses
    from edgebias.score.personalisation.mitigations import MITIGATION_SCORE, mitigation_table
    from edgebias.score.personalisation.table import IDENTITY_SCORE, PERSONALISATION, personalisation_tables
    from edgebias.score.settings import CompareSettings
    from edgebias.stats.bootstrap import Resampling
    from edgebias.suites.identities import SUITE_OF
    from edgebias.train.settings import BuildSettings

    sections = parse_settings(settings)
    wanted = value_of(sections, "compare", CompareSettings)
    study = read_study(sections)
    suites = [suite for suite in SUITE_OF.values() if suite in study.suites]
    if not suites:
        raise InputError(f"--settings: study.suites has none of {', '.join(SUITE_OF.values())}; add one")
    variants = value_of(sections, "variants", dict[str, BuildSettings])
    how = Resampling(seed_of(sections), wanted.resamples, wanted.confidence)
    joined = joined_responses(items_folder, responses_folder)
    biases, scores = personalisation_tables(study.cells, joined, how, wanted.correction)
    tables = [read_table(items_folder / f"{suite}.parquet", ("cluster", "split")) for suite in suites]
    splits = {name: split for table in tables for name, split in zip(table["cluster"], table["split"], strict=True)}
    tuned = {name: one.parent or REFERENCE_VARIANT for name, one in variants.items() if one.train is not None}
    mitigated = mitigation_table(study.cells, joined, splits, tuned, how, wanted.correction)
    PERSONALISATION.write(biases, output)
    IDENTITY_SCORE.write(scores, identities)
    MITIGATION_SCORE.write(mitigated, mitigations)

"""Score the trust of every build of a study beside the full one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import ItemsFolder, Settings, Variants


def run(
    settings: Settings,
    items_folder: ItemsFolder,
    variants_folder: Variants,
    responses_folder: Annotated[
        Path, typer.Option(help="holds the responses {environment}/{model}/{variant}/{suite}.parquet")
    ],
    output: Annotated[Path, typer.Option(help="table of trust to write (CSV)")],
    controls: Annotated[Path, typer.Option(help="table of controls that do not read to write (CSV)")],
    correlations: Annotated[Path, typer.Option(help="table of what trust goes with to write (CSV)")],
    doses: Annotated[Path, typer.Option(help="table of newly worse answers by bits to write (CSV)")],
) -> None:
    r"""Score the dimensions of trust of every build: with controls, beside the full build, and by dose.

    Settings: ``seed``, ``study``, ``compare``.

    Raises:
        InputError: the settings, a table or a record of a build are unfit, or a cell has no responses at all.

    Example:
        edgebias trust --settings params.yaml --items-folder data/items/compression --variants-folder data/models \
          --responses-folder results/compression/responses --output results/compression/compare/trust.csv \
          --controls results/compression/compare/trust_controls.csv \
          --correlations results/compression/compare/trust_correlations.csv \
          --doses results/compression/compare/trust_doses.csv
    """
    from edgebias.core.errors import InputError
    from edgebias.core.settings import parse_settings, seed_of, value_of
    from edgebias.score.contrasts.cells import read_study
    from edgebias.score.contrasts.pairs import joined_or_told
    from edgebias.score.settings import CompareSettings
    from edgebias.score.trust.asked import frames, trust_suites
    from edgebias.score.trust.associations import CORRELATION, correlation_table
    from edgebias.score.trust.builds import read_builds
    from edgebias.score.trust.controls import CONTROL, control_table
    from edgebias.score.trust.doses import DOSE, dose_table
    from edgebias.score.trust.table import TRUST, trust_table
    from edgebias.stats.bootstrap import Resampling

    sections = parse_settings(settings)
    wanted = value_of(sections, "compare", CompareSettings)
    how = Resampling(seed_of(sections), wanted.resamples, wanted.confidence)
    study = read_study(sections)
    suites = trust_suites(study.suites)
    if not suites:
        raise InputError("--settings: study.suites has no suite that measures a dimension of trust; add one")
    told = "trust: {cell} has no responses to {suite}; its rows are left out"
    joined = joined_or_told(items_folder, responses_folder, study.suites, told)
    builds = read_builds(study.cells, variants_folder)
    trust = trust_table(study.cells, suites, joined, builds, how, wanted.correction)
    TRUST.write(trust, output)
    CONTROL.write(control_table(frames(study.cells, suites, joined), how.seed), controls)
    CORRELATION.write(correlation_table(trust, how.confidence), correlations)
    DOSE.write(dose_table(study.cells, suites, joined, builds, how), doses)

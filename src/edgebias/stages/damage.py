"""Compare networks that were pre-trained on damaged images with those of undamaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings


def run(
    settings: Settings,
    runs: Annotated[Path, typer.Option(help="table of all networks, as `edgebias damage-runs` wrote it (CSV)")],
    effects: Annotated[Path, typer.Option(help="table of effects against undamaged data to write (CSV)")],
    doses: Annotated[Path, typer.Option(help="table of slopes over levels to write (CSV)")],
    mended: Annotated[Path, typer.Option(help="table of mitigations to write (CSV)")],
) -> None:
    r"""Compare damaged pre-training with undamaged, seed by seed: effects, their rise with the level, and mitigations.

    Intervals and tests are paired t over seeds; p-values are corrected within each measure. Settings: ``compare``.

    Raises:
        InputError: the settings or the table are unfit.

    Example:
        edgebias damage --settings params.yaml --runs results/damage/damage/runs.csv \
          --effects results/damage/damage/effects.csv --doses results/damage/damage/doses.csv \
          --mended results/damage/damage/mended.csv
    """
    from edgebias.core.files import read_table
    from edgebias.core.settings import parse_settings, value_of
    from edgebias.score.settings import CompareSettings
    from edgebias.train.damage.effects import (
        DAMAGE_DOSE,
        DAMAGE_EFFECT,
        DAMAGE_MENDED,
        dose_table,
        effect_table,
        mended_table,
    )
    from edgebias.train.damage.run_table import DAMAGE_RUN

    how = value_of(parse_settings(settings), "compare", CompareSettings)
    table = read_table(runs, DAMAGE_RUN.names)
    DAMAGE_RUN.check(table, runs, "; write it anew with `edgebias damage-runs`")
    DAMAGE_EFFECT.write(effect_table(table, how.confidence, how.correction), effects)
    DAMAGE_DOSE.write(dose_table(table, how.confidence, how.correction), doses)
    DAMAGE_MENDED.write(mended_table(table, how.confidence, how.correction), mended)

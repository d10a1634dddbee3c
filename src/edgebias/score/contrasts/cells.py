"""Cells of a study and the contrasts between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgebias.core.cell import Cell
from edgebias.core.errors import InputError
from edgebias.core.settings import keys_of
from edgebias.infer.study_settings import ComparedCells

REFERENCE_VARIANT = "full"
ENVIRONMENT, DEPLOYED, VARIANT = "environment", "deployed", "variant"


@dataclass(frozen=True)
class Contrast:
    """``a`` minus ``b``; the kind is also the family within which p-values are corrected."""

    kind: str
    a: Cell
    b: Cell


@dataclass(frozen=True)
class Study:
    """What the section ``study`` of the parameters says that `compare` needs."""

    suites: tuple[str, ...]
    cells: tuple[Cell, ...]
    rounds: tuple[Cell, ...]
    edge_build: Cell
    references: tuple[Cell, ...]
    """The desktop build and the cloud build, each once; none that is the edge build itself."""


def read_study(settings: dict[str, Any]) -> Study:
    """Read the section ``study``.

    Raises:
        InputError: a key is missing, or a deployed build is not among the cells.
    """
    study = keys_of(settings, "study", ComparedCells)
    cells = tuple(cell for group in study.cells for cell in group.all_cells)
    builds = [name.cell for name in (study.edge_build, study.desktop_build, study.cloud_build)]
    for build in builds:
        if build not in cells:
            raise InputError(f"--settings: study names the build {build.path}, which is not among study.cells; add it")
    return Study(
        suites=study.suites,
        cells=cells,
        rounds=tuple(name.cell for name in study.rounds),
        edge_build=builds[0],
        references=tuple(dict.fromkeys(build for build in builds[1:] if build != builds[0])),
    )


def contrasts_of(study: Study) -> list[Contrast]:
    """Return all contrasts of a study.

    ``environment``: edge minus each other environment at the same full-precision build of the same model (the matched
    design). ``deployed``: the edge build minus the desktop build and minus the cloud build, as far as these are other
    cells. ``variant``: each edge build minus the full-precision build of its model.
    """
    edge = study.edge_build.environment
    full = [cell for cell in study.cells if cell.variant == REFERENCE_VARIANT]
    found = [
        Contrast(ENVIRONMENT, a, b)
        for a in full
        for b in full
        if a.environment == edge != b.environment and a.model == b.model
    ]
    found += [Contrast(DEPLOYED, study.edge_build, build) for build in study.references]
    found += [
        Contrast(VARIANT, a, b)
        for a in study.cells
        for b in full
        if a.environment == b.environment == edge and a.model == b.model and a.variant != b.variant
    ]
    return list(dict.fromkeys(found))

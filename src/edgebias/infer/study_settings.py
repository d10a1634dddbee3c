"""The section ``study``: which cells are asked what, and which of them is deployed where."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from edgebias.core.cell import Cell
from edgebias.core.record import ListOf, Record, SetOf, SomeOf
from edgebias.suites.settings import SuiteName

Variants = SomeOf[str]
Suites = SomeOf[SuiteName]


class CellName(Record):
    """One build of one model in one environment."""

    environment: str
    """A key of environments."""
    model: str
    """A key of models."""
    variant: str
    """A key of variants."""

    @property
    def cell(self) -> Cell:
        """The cell of that name."""
        return Cell(self.environment, self.model, self.variant)


class CellGroup(Record):
    """Builds of one model in one environment."""

    environment: str
    """A key of environments."""
    model: str
    """A key of models."""
    variants: Variants
    """Keys of variants; each is a cell."""
    suites: Suites | None = None
    """What these cells are asked; left out, all suites of the study."""

    @property
    def all_cells(self) -> tuple[Cell, ...]:
        """A cell for each variant."""
        return tuple(Cell(self.environment, self.model, variant) for variant in self.variants)


class ComparedCells(Record):
    """The cells that are compared."""

    suites: Suites
    """The suites of the study."""
    cells: ListOf[CellGroup] = Field(min_length=1)
    """The cells that answer. An overlay that gives them leaves out what the file below says of other cells."""
    rounds: ListOf[CellName] = ()
    """Cells that also answer in repeated rounds (the over-time question)."""
    edge_build: CellName
    """The build that is shipped to the edge, and that is mitigated. In an overlay, by default its first cell."""
    desktop_build: CellName
    """The build on the desktop that it is compared with."""
    cloud_build: CellName
    """The build in the cloud that it is compared with."""


class DecomposedCells(ComparedCells):
    """The builds over which the edge build's excess is decomposed."""

    decomposition: SetOf[Literal["desktop", "cloud"]] = ()
    """The excess of the edge build over these is split into model, build and environment. The cells between the two
    belong in cells: those that differ from one of them in one factor or two."""

    @property
    def references(self) -> tuple[Cell, ...]:
        """The reference builds, each once; none that is the edge build itself."""
        builds = [getattr(self, f"{name}_build").cell for name in self.decomposition]
        return tuple(dict.fromkeys(build for build in builds if build != self.edge_build.cell))


class RobustCells(Record):
    """The cells whose formats are compared."""

    robustness: ListOf[CellName] = ()
    """Cells that answer the same items in every format; their backends give log-probabilities."""


class StudySettings(RobustCells, DecomposedCells):
    """What is studied."""

    title: str
    """Title of the report."""
    layer_probes: ListOf[CellName] = ()
    """Cells of llama.cpp in process whose blocks are probed for what can be read of a stereotype."""
    wins_back: ListOf[CellName] = ()
    """Builds of llama.cpp in process that are steered along their own vector and along that of the full build of their
    model, to see what each wins back. Methods then has none, and such a pair ({method: open_loop} and {method:
    open_loop, build: full})."""
    methods: SetOf[str | dict[str, Any]] = (
        "none",
        "instruction",
        "always_unknown",
        "always_refuse",
        "single_layer",
        "open_loop",
        "feedback_loop",
    )
    """Mitigation methods that the edge build is evaluated with, by name, or as a mapping of method and its settings
    ({method: open_loop, gain: 2}); an empty list is a study without mitigation."""

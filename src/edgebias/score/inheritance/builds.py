"""The builds of a study of bias inheritance: what each was trained on, and which are compared with which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from edgebias.core.cell import Cell
from edgebias.core.errors import InputError
from edgebias.core.record import Record

UNMITIGATED, TOKEN, MASK, LOSS = "none", "token", "mask", "loss"
MITIGATIONS = (UNMITIGATED, TOKEN, MASK, LOSS)
"""What is done about augmented texts: nothing, a warning before each, neutral words, or a term of the loss."""


class TrainedOn(Record):
    """What a build was trained on.

    Attributes:
        ratio: share of examples that the model wrote.
        bias: type of bias of these; empty at ratio 0.
        mitigation: one of `MITIGATIONS`.
        seed: of the draw of examples.
    """

    ratio: float = Field(ge=0, le=1)
    bias: str = ""
    mitigation: str = UNMITIGATED
    seed: int = 0


@dataclass(frozen=True)
class Place:
    """Where builds run that are compared with each other."""

    environment: str
    model: str


@dataclass(frozen=True)
class Series:
    """Builds that differ in the ratio, in order of ratio and seed; those of ratio 0 have no bias and no mitigation."""

    bias: str
    mitigation: str
    runs: tuple[tuple[Cell, TrainedOn], ...]


def by_place(cells: Sequence[Cell], builds: Mapping[str, TrainedOn]) -> dict[Place, dict[Cell, TrainedOn]]:
    """Return the trained cells of each place in which there are some.

    Raises:
        InputError: a place has none of ratio 0, with which others are compared.
    """
    found: dict[Place, dict[Cell, TrainedOn]] = {}
    for cell in cells:
        if cell.variant in builds:
            found.setdefault(Place(cell.environment, cell.model), {})[cell] = builds[cell.variant]
    for place, trained in found.items():
        if all(one.ratio > 0 for one in trained.values()):
            raise InputError(
                f"--settings: study.cells has no build of {place.model} in {place.environment} that is trained on a "
                "mixture of ratio 0; add one, because all others are compared with it"
            )
    return found


def reference_of(trained: Mapping[Cell, TrainedOn]) -> Cell:
    """Return the build of ratio 0 that others are compared with: that of the smallest seed."""
    return min((cell for cell in trained if trained[cell].ratio == 0), key=lambda cell: (trained[cell].seed, cell.path))


def series_of(trained: Mapping[Cell, TrainedOn]) -> list[Series]:
    """Return a series for each type of bias and mitigation, with all builds of ratio 0."""
    ordered = sorted(trained.items(), key=lambda entry: (entry[1].ratio, entry[1].seed, entry[0].path))
    kinds = sorted(
        {(one.bias, one.mitigation) for one in trained.values() if one.ratio > 0},
        key=lambda kind: (kind[0], rank(kind[1])),
    )
    return [
        Series(
            bias, mitigation, tuple(run for run in ordered if run[1].ratio == 0 or _kind(run[1]) == (bias, mitigation))
        )
        for bias, mitigation in kinds
    ]


def rank(mitigation: str) -> int:
    """Return the place of a mitigation among `MITIGATIONS`."""
    return MITIGATIONS.index(mitigation)


def _kind(one: TrainedOn) -> tuple[str, str]:
    return one.bias, one.mitigation

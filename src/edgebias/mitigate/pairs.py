"""Pairs of methods that steer a build along its own vector, and along that of the full build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgebias.core.cell import Cell
from edgebias.mitigate.base import SHIPPED
from edgebias.mitigate.registry import NONE, ChosenMethod

OWN, FULL = "own", "full"
"""Vectors: learned on the build that is steered, and on the full build of its model, whose name is the second."""


@dataclass(frozen=True)
class Pair:
    """Two methods that differ in the build on which their vector was learned.

    Attributes:
        own: label of the one that steers each build along its own.
        full: label of the one that takes that of the full build.
    """

    own: str
    full: str

    def label(self, vector: str) -> str:
        """Return the label of the method that steers along ``vector``."""
        return self.own if vector == OWN else self.full


def pairs_of(chosen: Mapping[str, ChosenMethod]) -> list[Pair]:
    """Return the pairs of methods at a fixed gain that only the build of their vector sets apart, in their order."""
    steered = {
        label: (method.name, method.steering)
        for label, method in chosen.items()
        if not method.is_loop and method.steering is not None and method.steering.vector == SHIPPED
    }
    found = []
    for own, (name, steering) in steered.items():
        if steering.build is None:
            other = name, replace(steering, build=FULL)
            found += [Pair(own, full) for full, one in steered.items() if one == other]
    return found


def vectors_on(cell: Cell) -> tuple[str, ...]:
    """Return the vectors that a build is steered along: of the full build, both are one."""
    return (OWN,) if cell.variant == FULL else (OWN, FULL)


def methods_on(cell: Cell, pairs: Sequence[Pair]) -> list[str]:
    """Return the labels of the methods that a build is measured under, `NONE` among them."""
    return [NONE, *(pair.label(vector) for pair in pairs for vector in vectors_on(cell))]

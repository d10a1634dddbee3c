"""A cell of the study: one build of one model in one environment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Cell:
    """One build of one model in one environment."""

    environment: str
    model: str
    variant: str

    @property
    def path(self) -> str:
        """``environment/model/variant``: its name, and its place below a results folder."""
        return f"{self.environment}/{self.model}/{self.variant}"

    @property
    def label(self) -> str:
        """Short name for axes and rows."""
        return f"{self.environment} {self.variant}"

"""Settings of the items: the section ``prompts``, and names of suites."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from edgebias.core.record import OneOf, Record, SomeOf
from edgebias.suites.registry import SUITES

SuiteName = Annotated[str, OneOf(SUITES.names, "suite")]
"""The name of a suite."""


class SubsampleSettings(Record):
    """How much of a suite to take. A number above what there is takes all."""

    items_per_cluster: int = Field(default=0, ge=0)
    """Items of each cluster; 0 takes all."""
    clusters_per_category: int = Field(default=0, ge=0)
    """Clusters of each category; 0 takes all."""
    conditions: SomeOf[str] | None = None
    """Conditions of the suite to take, by name or pattern (`system/*`); left out, those that it takes by default."""
    categories: SomeOf[str] | None = None
    """Categories of the suite to take; left out, all."""


class CalibrationShare(Record):
    """How items are split in two parts."""

    calibration_share: float = Field(default=0.5, gt=0, lt=1)
    """Share of a suite's clusters that calibrates; the rest is held out."""


class PromptSettings(CalibrationShare):
    """How items are split in two parts; every other key is a suite, and how much of it to take."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, SubsampleSettings]

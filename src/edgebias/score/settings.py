"""Settings of intervals and tests: the sections ``score`` and ``compare``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgebias.core.record import Record


class IntervalSettings(Record):
    """The cluster bootstrap."""

    resamples: int = Field(default=2000, ge=100)
    """Bootstrap samples."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Coverage of an interval."""


class CompareSettings(IntervalSettings):
    """Contrasts of cells."""

    correction: Literal["holm", "bonferroni", "fdr_bh", "fdr_by"] = "holm"
    """Correction of p-values for the number of tests: family-wise (holm, bonferroni) or of the false discovery rate."""

"""Settings of intervals and tests: the sections ``score`` and ``compare``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from edgebias.core.errors import InputError
from edgebias.core.record import Record
from edgebias.core.settings import require


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


def interval_settings(settings: dict[str, Any], section: str) -> tuple[int, int, float]:
    """Seed, number of bootstrap samples and confidence from the settings.

    Raises:
        InputError: a key is missing or out of range.
    """
    require(settings, "seed", section)
    values = settings[section]
    if not isinstance(values, dict):
        raise InputError(f"--settings: {section} must be a mapping with resamples and confidence")
    require(values, "resamples", "confidence")
    resamples, confidence = values["resamples"], values["confidence"]
    if not isinstance(resamples, int) or resamples < 100:
        raise InputError(f"--settings: {section}.resamples is {resamples!r}; a whole number of at least 100 is needed")
    if not isinstance(confidence, int | float) or not 0.5 <= confidence < 1.0:
        raise InputError(f"--settings: {section}.confidence is {confidence!r}; a number from 0.5 to below 1 is needed")
    if not isinstance(settings["seed"], int):
        raise InputError(f"--settings: seed is {settings['seed']!r}; a whole number is needed")
    return settings["seed"], resamples, float(confidence)

"""Settings of sentences with a share of women: the section ``gender_tail``."""

from __future__ import annotations

from pydantic import Field

from edgebias.core.record import Record

FULL, BALANCED, FLIPPED = "full", "balanced", "flipped"
TAILS = (FULL, BALANCED, FLIPPED)
"""The share of women that there is, half, and the share of men that there is."""


class GenderTailSettings(Record):
    """Tables of real sentences about people that differ in their share of women."""

    sentences: int = Field(default=480, ge=8, le=40_000)
    """Training sentences of each table."""
    held_out: int = Field(default=64, ge=2, le=2000)
    """Sentences that measure the held-out loss, half of them about women: the same ones for every table."""

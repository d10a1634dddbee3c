"""Settings of the parity gate: the section ``parity``."""

from __future__ import annotations

from pydantic import Field

from edgebias.core.record import Record


class ParitySettings(Record):
    """What the gate asks of two backends, and how far they may differ in exact arithmetic."""

    items: int = Field(default=4, ge=1)
    """Items of each suite that both backends answer in exact arithmetic, in each format."""
    max_abs_difference: float = Field(default=0.002, ge=0)
    """Largest difference of an option's log-probability between the backends, in nats."""

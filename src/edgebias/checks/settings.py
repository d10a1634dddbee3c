"""Settings of the parity gate: the section ``parity``."""

from __future__ import annotations

from pydantic import Field

from edgebias.core.record import Record


class Tolerances(Record):
    """How far two backends that run the same weights may differ."""

    max_abs_difference: float = Field(default=0.5, ge=0)
    """Largest difference of an option, in nats. It grows with the number of options: now and then a token is so
    ill-conditioned that rounding moves it by tenths of a nat."""
    p99_abs_difference: float = Field(default=0.1, ge=0)
    """What 99 % of the differences do not exceed, in nats: the bulk, however many options."""
    mean_abs_difference: float = Field(default=0.03, ge=0)
    """Mean difference, in nats."""
    min_agreement: float = Field(default=0.98, ge=0, le=1)
    """Least share of items with the same preferred option."""

"""The table of a training job: losses at each evaluation, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgebias.core.table import Column, Table, at_least, between

TRAINING = Table(
    name="training trajectory",
    meaning="Training of a build: a row is an evaluation, the first before any step.",
    path="data/models/{model}/{variant}.training.csv",
    columns=(
        Column("step", "int", "updates so far", rule=at_least(0), unique=True),
        Column("train_loss", "float", "mean loss of the steps since the row before", undefined=True),
        Column(
            "held_out_loss",
            "float",
            "loss on held-out examples: nats per answer token, or that of preference tuning per example",
        ),
        Column(
            "held_out_accuracy",
            "float",
            "share (0 to 1) of held-out preferences whose chosen answer gained more on the untrained build than the "
            "rejected one; NaN without preferences and before any step",
            rule=between(0, 1),
            undefined=True,
        ),
        Column("learning_rate", "float", "that of the step before", rule=at_least(0), undefined=True),
        Column("tokens", "int", "answer tokens of all steps so far", rule=at_least(0)),
    ),
    order=("step",),
)


def best_row(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return the place of the lowest held-out loss, the first of equal ones."""
    return min(range(len(rows)), key=lambda place: rows[place]["held_out_loss"])


def is_over(rows: Sequence[Mapping[str, Any]], patience: int | None) -> bool:
    """Return whether the last ``patience`` evaluations brought no lower held-out loss."""
    return patience is not None and len(rows) - 1 - best_row(rows) >= patience

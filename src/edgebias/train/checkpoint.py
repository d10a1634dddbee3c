"""The state of a training job on disk, from which it goes on after a kill to the same bytes."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from edgebias.core.files import atomic


@dataclass
class State:
    """What training is at after a number of steps; orders and random draws follow from the step, and need no state.

    Attributes:
        step: updates so far.
        tokens: answer tokens that they were made on.
        rows: of the table `edgebias.train.trajectory.TRAINING`, one an evaluation.
        weights: those that are trained, by name; they move on with the model.
        optimiser: its ``state_dict``.
        schedule: that of the learning rate.
        best: the weights at the lowest held-out loss; None where the last ones are taken.
    """

    step: int
    tokens: int
    rows: list[dict[str, Any]]
    weights: dict[str, torch.Tensor] = field(repr=False)
    optimiser: dict[str, Any] = field(repr=False)
    schedule: dict[str, Any]
    best: dict[str, torch.Tensor] | None = field(repr=False)


def save(state: State, path: Path, identity: str) -> None:
    """Write ``state`` whole or not at all; it belongs to one ``identity`` (`edgebias.backends.store.identity`)."""
    with atomic(path) as temporary:
        torch.save({"identity": identity, **vars(state)}, temporary)


def load(path: Path, identity: str) -> State | None:
    """Return the state at ``path``; None where there is none, or one that is damaged or of another identity."""
    if not path.exists():
        return None
    try:
        found = dict(torch.load(path, weights_only=True, mmap=False))
        if found.pop("identity", None) == identity:
            return State(**found)
        reason = "settings, examples, weights, code or a library changed"
    except Exception:  # torch, zipfile and pickle each raise types of their own
        reason = "it is damaged"
    print(f"{path}: {reason}; training starts afresh", file=sys.stderr)
    return None

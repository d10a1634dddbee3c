"""A build under a method as a mitigation study left it: its vector and its gate."""

from __future__ import annotations

from pathlib import Path

from edgebias.backends.base import Backend
from edgebias.mitigate.mitigated import Mitigated, mitigate
from edgebias.mitigate.registry import steering_of


def studied(build: Backend, method: str, folder: Path, weights: Path) -> Mitigated:
    """``build``, loaded from ``weights``, under a method of the study in ``folder`` (results/edge/mitigation/E/M/V)."""
    steering = steering_of(method)
    return mitigate(
        build,
        method,
        {},
        weights=weights,
        control_vector=None if steering is None else folder / method / "control_vector.gguf",
        gate=folder / "gate.json" if steering is not None and steering.gated else None,
    )

"""Apply a control vector to a loaded build: at a gain, with equal layers, behind a gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgebias.backends.base import Backend
from edgebias.core.errors import InputError
from edgebias.mitigate.base import Artefacts, Steering
from edgebias.mitigate.mitigated import Mitigated, steerable
from edgebias.mitigate.steering.directions import Matrix
from edgebias.mitigate.steering.vector_file import read_control_vector

if TYPE_CHECKING:
    from edgebias.backends.local.llama_engine import LlamaBackend
    from edgebias.mitigate.steering.gated_backend import RequestGate

OpenGate = Callable[[Path, Path, "LlamaBackend"], "RequestGate"]
"""Opens a gate: its file, the weights of the build, and the build."""


def steered(loaded: Backend, steering: Steering, artefacts: Artefacts, open_gate: OpenGate | None = None) -> Mitigated:
    """Steer ``loaded`` as ``steering`` says, behind the gate of ``artefacts`` where there is one.

    Args:
        loaded: the build.
        steering: gain and layers.
        artefacts: the control vector and the gate.
        open_gate: opens a gate of another kind than `edgebias.mitigate.steering.gate`.

    Raises:
        InputError: the backend cannot be steered, or a file is unusable or of another model.
    """
    if artefacts.control_vector is None:
        raise InputError("--control-vector: a method that steers needs it")
    vector = steer(loaded, artefacts.control_vector, steering)
    if artefacts.gate is None:
        return Mitigated(loaded, loaded, vector)
    from edgebias.mitigate.steering.gated_backend import GatedBackend

    build = steerable(loaded)
    gate = (open_gate or _token_gate)(artefacts.gate, artefacts.weights, build)
    gated = GatedBackend(build, vector, gate)
    return Mitigated(loaded, gated, vector, gated)


def steer(backend: Backend, control_vector: Path, steering: Steering) -> Matrix:
    """Load the vector of ``control_vector`` into ``backend`` as ``steering`` says; return it.

    Raises:
        InputError: the backend cannot be steered, or the vector belongs to another model.
    """
    build = steerable(backend)
    vector = read_control_vector(control_vector, build.n_layer, build.n_embd)
    if steering.equal_layers:
        vector = equal_layers(vector)
    vector = (steering.gain * vector).astype(np.float32)
    build.set_control_vector(vector)
    return vector


def equal_layers(vector: Matrix) -> Matrix:
    """Give all rows of ``vector`` (n_layer, n_embd) that are not zero one length; its total length is unchanged."""
    lengths = np.linalg.norm(vector, axis=1, keepdims=True)
    steered_rows = lengths > 0
    common = np.sqrt(np.mean(lengths[steered_rows] ** 2)) if steered_rows.any() else 0.0
    scaled = np.where(steered_rows, vector * (common / np.where(steered_rows, lengths, 1.0)), 0.0)
    equal: Matrix = scaled.astype(np.float32)
    return equal


def _token_gate(path: Path, weights: Path, build: LlamaBackend) -> RequestGate:
    from edgebias.mitigate.steering.gate import open_gate

    return open_gate(path, weights)

"""A build as a method mitigates it: steered, steered behind a gate, scored in another way, or as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgebias.backends.base import Backend, OptionRequest
from edgebias.core.errors import InputError
from edgebias.mitigate.methods.answer_prior import AnswerPriorBackend, answer_prior_settings
from edgebias.mitigate.methods.reprompting import RepromptingBackend, reprompting_settings
from edgebias.mitigate.registry import (
    ANSWER_PRIOR,
    CONDITIONAL,
    GATED,
    REPROMPTING,
    SELF_DEBIASING,
    STEERED,
    Steering,
    steering_of,
)
from edgebias.mitigate.speed import paired_speed, scoring_speed, speed
from edgebias.mitigate.steering.directions import Matrix
from edgebias.mitigate.steering.vector_file import read_control_vector

if TYPE_CHECKING:
    from edgebias.backends.local.llama_engine import LlamaBackend
    from edgebias.mitigate.steering.gated_backend import GatedBackend


@dataclass
class Mitigated:
    """A loaded build under a method.

    Attributes:
        loaded: the build.
        backend: what answers under the method; ``loaded`` itself where nothing stands before it.
        vector: what steers it, shape (n_layer, n_embd), or None.
        gate: ``backend`` where it is one behind a gate.
    """

    loaded: Backend
    backend: Backend
    vector: Matrix | None = None
    gate: GatedBackend | None = None
    _opened: dict[str, float] = field(default_factory=dict)

    def count(self, name: str) -> None:
        """Note how often the gate opened since the last call, as that of ``name``."""
        if self.gate is not None:
            self._opened[name] = self.gate.opened()

    def lift(self) -> None:
        """Take the method away: ``loaded`` answers as it is from now on."""
        if self.vector is not None:
            _steerable(self.loaded).set_control_vector(None)

    def cost(self, sentences: Sequence[str], read: Sequence[OptionRequest]) -> dict[str, Any]:
        """Bytes of the vector, times of reading and writing with the method and without, and the gate's counts.

        Args:
            sentences: what is read and continued, where the method is none or a vector.
            read: what is scored, where it is another.
        """
        record: dict[str, Any] = {"control_vector_bytes": 0 if self.vector is None else int(self.vector[1:].nbytes)}
        if self.gate is not None:
            self.lift()  # else the build would be timed with the vector of the last request
            return record | scoring_speed(self.loaded, self.gate, read) | {"gate_opened": self._opened}
        if self.vector is not None:
            return record | paired_speed(self.loaded, self.vector, sentences)
        if self.backend is not self.loaded:
            return record | scoring_speed(self.loaded, self.backend, read)
        return record | speed(self.loaded, sentences)


def check_files(method: str, control_vector: Path | None, gate: Path | None) -> None:
    """Refuse a method without the files that it needs, or with one that it does not.

    Raises:
        InputError: they do not fit, or there is no such method.
    """
    steering = steering_of(method)
    if (steering is None) != (control_vector is None):
        raise InputError(
            f"--control-vector: {list(STEERED)}, gated or not, and {CONDITIONAL} need it and no other method does; "
            f"--method is {method}"
        )
    if (steering is not None and steering.gated) != (gate is not None):
        raise InputError(
            f"--gate: methods whose name begins with {GATED}, and {CONDITIONAL}, need it and no other; "
            f"--method is {method}"
        )


def mitigate(
    loaded: Backend,
    method: str,
    settings: dict[str, Any],
    *,
    weights: Path,
    control_vector: Path | None,
    gate: Path | None,
) -> Mitigated:
    """``loaded`` under ``method``, whose files `check_files` has let pass.

    Raises:
        InputError: the backend cannot be steered, or a file or setting is unusable or of another model.
    """
    steering = steering_of(method)
    if steering is not None and control_vector is not None:
        vector = steer(loaded, control_vector, steering)
        if gate is None:
            return Mitigated(loaded, loaded, vector)
        gated = _behind_gate(method, _steerable(loaded), vector, gate, weights)
        return Mitigated(loaded, gated, vector, gated)
    return Mitigated(loaded, _scored_otherwise(loaded, method, settings))


def steer(backend: Backend, control_vector: Path, steering: Steering) -> Matrix:
    """Load the vector of ``control_vector`` into ``backend`` as ``steering`` says; return it.

    Raises:
        InputError: the backend cannot be steered, or the vector belongs to another model.
    """
    build = _steerable(backend)
    vector = read_control_vector(control_vector, build.n_layer, build.n_embd)
    if steering.equal_layers:
        vector = equal_layers(vector)
    vector = (steering.gain * vector).astype(np.float32)
    build.set_control_vector(vector)
    return vector


def equal_layers(vector: Matrix) -> Matrix:
    """``vector`` (n_layer, n_embd) with one length for all rows that are not zero, its total length unchanged."""
    lengths = np.linalg.norm(vector, axis=1, keepdims=True)
    steered = lengths > 0
    common = np.sqrt(np.mean(lengths[steered] ** 2)) if steered.any() else 0.0
    found: Matrix = np.where(steered, vector * (common / np.where(steered, lengths, 1.0)), 0.0).astype(np.float32)
    return found


def _behind_gate(method: str, build: LlamaBackend, vector: Matrix, gate: Path, weights: Path) -> GatedBackend:
    from edgebias.mitigate.steering.condition import open_condition
    from edgebias.mitigate.steering.gate import open_gate
    from edgebias.mitigate.steering.gated_backend import GatedBackend

    opens = open_condition(gate, build) if method == CONDITIONAL else open_gate(gate, weights)
    return GatedBackend(build, vector, opens)


def _scored_otherwise(loaded: Backend, method: str, settings: dict[str, Any]) -> Backend:
    if method == ANSWER_PRIOR:
        return AnswerPriorBackend(loaded, answer_prior_settings(settings))
    if method == REPROMPTING:
        return RepromptingBackend(loaded, reprompting_settings(settings))
    return _self_debiasing(loaded, settings) if method == SELF_DEBIASING else loaded


def _self_debiasing(loaded: Backend, settings: dict[str, Any]) -> Backend:
    from edgebias.backends.local.llama_engine import LlamaBackend
    from edgebias.mitigate.methods.self_debiasing import SelfDebiasingBackend, self_debiasing_settings

    if not isinstance(loaded, LlamaBackend):  # it has to tell whole distributions
        raise InputError(f"environments: self_debiasing needs the backend 'llama', not {loaded.name!r}")
    return SelfDebiasingBackend(loaded, self_debiasing_settings(settings))


def _steerable(backend: Backend) -> LlamaBackend:
    from edgebias.backends.local.llama_engine import LlamaBackend

    if not isinstance(backend, LlamaBackend):
        raise InputError(f"environments: a control vector needs the backend 'llama', not {backend.name!r}")
    return backend

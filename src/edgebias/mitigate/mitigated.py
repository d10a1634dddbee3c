"""A build as a method mitigates it: steered, steered behind a gate, scored in another way, or as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgebias.backends.base import Backend, OptionRequest
from edgebias.core.errors import InputError

if TYPE_CHECKING:
    from edgebias.backends.local.llama_engine import LlamaBackend
    from edgebias.mitigate.steering.directions import Matrix
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
            steerable(self.loaded).set_control_vector(None)

    def cost(self, sentences: Sequence[str], read: Sequence[OptionRequest]) -> dict[str, Any]:
        """Return the bytes of the vector, times of reading and writing with the method and without, and the gate's
        counts.

        Args:
            sentences: what is read and continued, where the method is none or a vector.
            read: what is scored, where it is another.
        """
        from edgebias.mitigate.speed import paired_speed, scoring_speed, speed

        record: dict[str, Any] = {"control_vector_bytes": 0 if self.vector is None else int(self.vector[1:].nbytes)}
        if self.gate is not None:
            self.lift()  # else the build would be timed with the vector of the last request
            return record | scoring_speed(self.loaded, self.gate, read) | {"gate_opened": self._opened}
        if self.vector is not None:
            return record | paired_speed(self.loaded, self.vector, sentences)
        if self.backend is not self.loaded:
            return record | scoring_speed(self.loaded, self.backend, read)
        return record | speed(self.loaded, sentences)


def steerable(backend: Backend) -> LlamaBackend:
    """Give ``backend`` as one that takes a control vector.

    Raises:
        InputError: it takes none.
    """
    from edgebias.backends.local.llama_engine import LlamaBackend

    if not isinstance(backend, LlamaBackend):
        raise InputError(f"environments: a control vector needs the backend 'llama', not {backend.name!r}")
    return backend

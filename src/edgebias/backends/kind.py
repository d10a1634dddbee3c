"""What a backend says of itself: the record that its module defines as ``BACKEND``, read without loading its libraries.

Code asks these properties instead of comparing names, so that a new backend is one new file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from edgebias.backends.base import Backend
from edgebias.core.errors import InputError

Environment = Mapping[str, Any]
"""An entry of ``environments`` in a parameter file."""


@dataclass(frozen=True)
class BackendProperties:
    """What holds for a backend in one environment.

    Attributes:
        weights: the layout of the weights that it loads: one ``gguf`` file, a ``transformers`` folder, or None where
            it loads none.
        scores_options: whether the options of a request get log-probabilities.
        refused_formats: formats of ``infer.formats`` that it cannot answer.
        remote: whether it asks an endpoint that may be on another machine, and may charge for every request.
        enforces_memory: whether ``memory_mb`` is a limit that the operating system enforces.
        job_memory_mb: most MB that a job takes with the default study's model (135 million parameters), for schedulers.
        steerable: whether it takes control vectors and shows what its blocks put out.
        keeps_answers: whether answers cost nothing to get again, so that a job needs no journal.
        not_timed: why the speed of a single answer is not measured; empty where it is.
        place: where it computes, as a report says it: "llama.cpp on this machine's processor".
        place_remark: what a report says after the limits of the environment: ", not on a Raspberry Pi".
        limitation: what its numbers cannot show, in whole sentences for a report; may be empty.
    """

    weights: Literal["gguf", "transformers"] | None
    place: str
    scores_options: bool = True
    refused_formats: frozenset[str] = frozenset()
    remote: bool = False
    enforces_memory: bool = False
    job_memory_mb: int = 1000
    steerable: bool = False
    keeps_answers: bool = False
    not_timed: str = ""
    place_remark: str = ""
    limitation: str = ""


class OpenBackend(Protocol):
    """How a backend is opened."""

    def __call__(
        self, environment: Environment, model: Mapping[str, Any], weights: Path | None, *, capture_hidden: bool
    ) -> Backend:
        """Load the model that runs in ``environment``; the result is used as a context manager.

        Args:
            environment: an entry of ``environments``.
            model: an entry of ``models``.
            weights: a file or a folder in the layout that the backend declares, or None.
            capture_hidden: whether what the blocks put out will be read; for steerable backends alone.

        Raises:
            InputError: a key is missing or has a bad value, or the weights cannot be loaded.
        """
        ...


@dataclass(frozen=True)
class BackendKind:
    """A kind of backend; its module assigns one to ``BACKEND``.

    Attributes:
        name: what ``backend`` of an environment says.
        open: loads a model. Import heavy libraries inside it.
        properties: what holds in an environment: the same everywhere, or a function of its settings.
        libraries: distributions that decide its numbers; a job whose journal was written with others starts afresh.
        settings: keys of an environment that `EnvironmentSettings` does not have, each with a line that explains it.
    """

    name: str
    open: OpenBackend
    properties: BackendProperties | Callable[[Environment], BackendProperties]
    libraries: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    def properties_in(self, environment: Environment) -> BackendProperties:
        """Return what holds in ``environment``."""
        return self.properties if isinstance(self.properties, BackendProperties) else self.properties(environment)


def require_key(environment: Environment, key: str) -> Any:
    """Return the value of ``key``.

    Raises:
        InputError: it is missing or null.
    """
    if environment.get(key) is None:
        raise InputError(f"environments: key {key!r} is missing; it has {sorted(environment)}")
    return environment[key]


def require_weights(weights: Path | None, backend: str) -> Path:
    """Return ``weights``.

    Raises:
        InputError: there are none.
    """
    if weights is None:
        raise InputError(f"backend: {backend} loads a model; give --weights")
    return weights

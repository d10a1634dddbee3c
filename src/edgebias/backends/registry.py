"""The backends, found where they stand, and the way from an entry of ``environments`` to a loaded model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgebias.backends.base import Backend
from edgebias.backends.kind import BackendKind, BackendProperties, Environment
from edgebias.core.errors import InputError
from edgebias.core.registry import Registry

BACKENDS = Registry("edgebias.backends", "BACKEND", BackendKind, "backend")


def kind_of(environment: Environment) -> BackendKind:
    """Return the kind of backend that ``environment`` names.

    Raises:
        InputError: it names none, or one that is unknown.
    """
    name = environment.get("backend")
    if not isinstance(name, str):
        raise InputError(f"backend: a name is needed, not {name!r}; choose one of {', '.join(BACKENDS.names())}")
    return BACKENDS.get(name)


def properties_of(environment: Environment) -> BackendProperties:
    """Return what holds for the backend of ``environment``.

    Raises:
        InputError: as `kind_of`.
    """
    return kind_of(environment).properties_in(environment)


def backends_with(quality: str) -> list[str]:
    """Return the names of the backends with a quality, for messages.

    Args:
        quality: a field of `BackendProperties`, true for them in an environment that says nothing else.
    """
    return [name for name, kind in BACKENDS.items() if getattr(kind.properties_in({"backend": name}), quality)]


def open_backend(
    environment: Environment, model: Mapping[str, Any], weights: Path | None, *, capture_hidden: bool = False
) -> Backend:
    """Load the model that runs in ``environment``; use the result as a context manager.

    Args:
        environment: an entry of ``environments`` in a parameter file.
        model: an entry of ``models``: ``start_token``, and ``endpoint_model`` for a remote endpoint.
        weights: what the backend loads, in the layout that it declares; None where it loads nothing.
        capture_hidden: whether what the blocks put out will be read; of steerable backends alone.

    Raises:
        InputError: an unknown backend, a missing key, or anything that the backend refuses.
    """
    return kind_of(environment).open(environment, model, weights, capture_hidden=capture_hidden)

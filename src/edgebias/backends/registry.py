"""From an entry of ``environments`` to a loaded model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgebias.backends.base import Backend
from edgebias.core.errors import InputError

BACKENDS = ("llama", "torch", "openai", "recorded")


def open_backend(
    environment: Mapping[str, Any], model: Mapping[str, Any], weights: Path | None, *, capture_hidden: bool = False
) -> Backend:
    """Load the model that runs in ``environment``; use the result as a context manager.

    Args:
        environment: an entry of ``environments`` in params.yaml: ``backend``, and for ``llama`` and ``torch``
            ``threads`` and ``context``; for ``openai`` see `EndpointSettings`; for ``recorded`` the file ``store``.
        model: an entry of ``models``: ``start_token``, and ``endpoint_model`` for a remote endpoint.
        weights: a GGUF file (``llama``, loopback), a folder (``torch``), or None (remote endpoint, ``recorded``).
        capture_hidden: whether what the blocks put out will be read; of ``llama`` alone, others take no notice.

    Raises:
        InputError: an unknown backend, a missing key, or anything that the backend refuses.
    """
    backend = environment.get("backend")
    if backend == "recorded":
        from edgebias.backends.store.recorded import RecordedBackend

        return RecordedBackend(Path(_need(environment, "store")))
    if backend == "openai":
        from edgebias.backends.endpoint.openai import OpenAIBackend

        return OpenAIBackend({**environment, "model": model.get("endpoint_model", "")}, weights)
    if backend not in BACKENDS:
        raise InputError(f"backend: {backend!r} is unknown; choose one of {', '.join(BACKENDS)}")
    if weights is None:
        raise InputError(f"backend: {backend} loads a model; give --weights")
    threads, context = int(_need(environment, "threads")), int(_need(environment, "context"))
    start_token = model.get("start_token")
    if backend == "torch":
        from edgebias.backends.local.torch import TorchBackend

        return TorchBackend(weights, threads=threads, context=context, start_token=start_token)
    from edgebias.backends.local.llama import LlamaBackend

    return LlamaBackend(
        weights,
        threads=threads,
        context=context,
        start_token=start_token,
        memory_mb=environment.get("memory_mb"),
        capture_hidden=capture_hidden,
    )


def _need(environment: Mapping[str, Any], key: str) -> Any:
    if environment.get(key) is None:
        raise InputError(f"environments: key {key!r} is missing; it has {sorted(environment)}")
    return environment[key]

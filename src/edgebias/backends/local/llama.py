"""The backend ``llama``: a GGUF file in llama.cpp, in this process, under a memory limit (`llama_engine`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgebias.backends.base import Backend
from edgebias.backends.kind import BackendKind, BackendProperties, Environment, require_key, require_weights


def open_llama(
    environment: Environment, model: Mapping[str, Any], weights: Path | None, *, capture_hidden: bool = False
) -> Backend:
    """Load a GGUF file with the ``threads``, ``context`` and ``memory_mb`` of the environment."""
    from edgebias.backends.local.llama_engine import LlamaBackend

    return LlamaBackend(
        require_weights(weights, "llama"),
        threads=int(require_key(environment, "threads")),
        context=int(require_key(environment, "context")),
        start_token=model.get("start_token"),
        template_variables=model.get("chat_template_kwargs"),
        memory_mb=environment.get("memory_mb"),
        capture_hidden=capture_hidden,
    )


BACKEND = BackendKind(
    name="llama",
    open=open_llama,
    properties=BackendProperties(
        weights="gguf",
        enforces_memory=True,
        steerable=True,
        place="llama.cpp on this machine's processor",
        place_remark=", not on a Raspberry Pi",
        limitation=(
            "The edge environment is a limited process on the machine named under Provenance. Its latency and memory "
            "are not those of a Raspberry Pi; another processor's instructions can change single generated answers."
        ),
    ),
    libraries=("jinja2", "llama-cpp-python", "numpy"),
)

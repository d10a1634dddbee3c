"""The backend ``torch``: a folder of transformers weights in PyTorch, in this process (`torch_engine`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgebias.backends.base import Backend
from edgebias.backends.kind import BackendKind, BackendProperties, Environment, require_key, require_weights


def open_torch(
    environment: Environment, model: Mapping[str, Any], weights: Path | None, *, capture_hidden: bool = False
) -> Backend:
    """Load a folder of weights with the ``threads`` and ``context`` of the environment."""
    from edgebias.backends.local.torch_engine import TorchBackend

    return TorchBackend(
        require_weights(weights, "torch"),
        threads=int(require_key(environment, "threads")),
        context=int(require_key(environment, "context")),
        start_token=model.get("start_token"),
        template_variables=model.get("chat_template_kwargs"),
    )


BACKEND = BackendKind(
    name="torch",
    open=open_torch,
    properties=BackendProperties(
        weights="transformers", job_memory_mb=2000, place="transformers on this machine's processor"
    ),
    libraries=("jinja2", "numpy", "safetensors", "tokenizers", "torch", "transformers"),
)

"""The backend ``openai``: an OpenAI-compatible endpoint, or such a server of our own on this machine (`client`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgebias.backends.base import Backend
from edgebias.backends.endpoint.address import LOOPBACK
from edgebias.backends.kind import BackendKind, BackendProperties, Environment

_ENDPOINT = BackendProperties(
    weights=None,
    scores_options=False,
    refused_formats=frozenset({"likelihood", "likelihood_chat", "continuation"}),
    remote=True,
    not_timed="a remote endpoint may charge for every request",
    place="the OpenAI-compatible endpoint",
)

_LOOPBACK = replace(
    _ENDPOINT,
    weights="gguf",
    remote=False,
    not_timed="",
    place="llama-cpp-python's server on this machine, asked over HTTP",
    place_remark=": it stands in for a cloud service, and no cloud service was used",
    limitation=(
        "The cloud environment is a server on the same machine with the same weights. It shows what the HTTP and "
        "chat interface changes, not what a provider's model, filters or system prompts do."
    ),
)


def open_endpoint(
    environment: Environment, model: Mapping[str, Any], weights: Path | None, *, capture_hidden: bool = False
) -> Backend:
    """Connect to the endpoint; ``weights`` are what ``loopback`` serves."""
    from edgebias.backends.endpoint.client import OpenAIBackend

    own = {"model": model.get("endpoint_model", ""), "chat_template_kwargs": model.get("chat_template_kwargs")}
    return OpenAIBackend({**environment, **own}, weights)


def endpoint_properties(environment: Environment) -> BackendProperties:
    """Return what holds for ``loopback``, or for the endpoint that ``environment`` names."""
    if environment.get("endpoint") == LOOPBACK:
        return _LOOPBACK
    return replace(
        _ENDPOINT,
        keeps_answers=environment.get("store", "the default") is not None,
        place=f"{_ENDPOINT.place} {environment.get('endpoint')}",
    )


BACKEND = BackendKind(
    name="openai",
    open=open_endpoint,
    properties=endpoint_properties,
    libraries=("httpx2", "jinja2", "llama-cpp-python", "numpy"),
)

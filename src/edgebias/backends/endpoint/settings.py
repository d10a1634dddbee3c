"""What an entry of ``environments`` says about an endpoint, completed and checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edgebias.backends.endpoint.address import LOOPBACK, read_base_url
from edgebias.backends.endpoint.budget import Budget, Price, read_budget, read_price
from edgebias.backends.endpoint.key import read_key, refuse_keys
from edgebias.backends.endpoint.secret import Secret
from edgebias.core.errors import InputError
from edgebias.core.record import show

STORES = Path("data/paid_answers")
"""Where stores are kept by default. Git and DVC ignore it, and ``make clean`` leaves it: what is in it was paid for."""

MAX_TOKENS_FIELDS = ("max_tokens", "max_completion_tokens")
"""Names of the limit on an answer's length; OpenAI's reasoning models refuse the first, most other servers know it."""

_PAID = ("store", "budget", "prices")

_OWN_FIELDS = frozenset(
    {*MAX_TOKENS_FIELDS, "model", "messages", "temperature", "top_p", "seed", "stop", "logprobs", "top_logprobs"}
    | {"n", "stream", "stream_options"}
)
"""Request fields that the study sets itself, or that would change what one answer is."""


@dataclass(frozen=True)
class EndpointSettings:
    """How an endpoint is asked.

    Attributes:
        endpoint: ``loopback`` or a base URL.
        model: the endpoint's own name of the model; empty for ``loopback``.
        key: the secret, or `edgebias.backends.endpoint.key.NO_KEY`.
        concurrency: most requests under way at once.
        timeout_s: most seconds for one try of a request.
        max_retries: how often a request is tried again.
        omit: request parameters that the endpoint refuses.
        extra: request parameters beyond those of the OpenAI API, as they are sent.
        max_tokens_field: the endpoint's name of the limit on an answer's length, one of `MAX_TOKENS_FIELDS`.
        logprobs: whether to ask for log-probabilities of the first token.
        store: the response store, or None.
        budget: the most that may be spent over the life of the store.
        price: of the model, or None where it is not known.
    """

    endpoint: str
    model: str
    key: Secret
    concurrency: int
    timeout_s: float
    max_retries: int
    omit: frozenset[str]
    extra: Mapping[str, Any]
    max_tokens_field: str
    logprobs: bool
    store: Path | None
    budget: Budget
    price: Price | None


def read_endpoint_settings(environment: Mapping[str, Any]) -> EndpointSettings:
    """Complete and check an entry of ``environments``, to which ``model`` was added.

    ``concurrency`` is 1 for loopback, whose server answers one request at a time, and 4 elsewhere. ``store`` is a file
    named after the host in `STORES`, or none where it is null; loopback has none: there a rerun must really compute.

    Raises:
        InputError: a key is missing or has a bad value, or the variable that should hold the secret is not set.
    """
    key = read_key(environment)
    endpoint, model = str(environment.get("endpoint", "")), str(environment.get("model", ""))
    loopback = endpoint == LOOPBACK
    if loopback:
        for name in (*_PAID, "extra"):
            if environment.get(name):
                raise InputError(f"{name}: endpoint loopback costs nothing and has none; leave {name} out")
    else:
        endpoint = read_base_url(endpoint)
        if not model:
            raise InputError(f"model: the name of the model at {endpoint} is missing; set endpoint_model of the model")
    logprobs = environment.get("logprobs", False)
    if not isinstance(logprobs, bool):
        raise InputError(f"logprobs: true or false is needed, not {logprobs!r}")
    settings = EndpointSettings(
        endpoint=endpoint,
        model=model,
        key=key,
        concurrency=_whole(environment, "concurrency", 1 if loopback else 4, least=1),
        timeout_s=_seconds(environment, "timeout_s", 120.0),
        max_retries=_whole(environment, "max_retries", 4, least=0),
        omit=frozenset(environment.get("omit") or ()),
        extra=_extra(environment),
        max_tokens_field=_max_tokens_field(environment),
        logprobs=logprobs,
        store=None if loopback else _store(environment, endpoint),
        budget=read_budget(environment),
        price=read_price(environment, model),
    )
    _check_budget(settings)
    return settings


def _check_budget(settings: EndpointSettings) -> None:
    if settings.budget.unlimited:
        return
    if settings.store is None:
        raise InputError("budget: what was spent is counted in the store; name a file in store or leave budget out")
    if settings.budget.usd is not None and settings.price is None:
        raise InputError(f"budget.usd: the price of {settings.model!r} is missing; add it to prices of the environment")
    limits_length = settings.budget.usd is not None or settings.budget.generated_tokens is not None
    if limits_length and settings.max_tokens_field in settings.omit:
        raise InputError(
            f"omit: without {settings.max_tokens_field} an answer may cost anything; send it or leave budget out"
        )


def _extra(environment: Mapping[str, Any]) -> dict[str, Any]:
    extra = environment.get("extra") or {}
    if not isinstance(extra, Mapping) or not all(isinstance(name, str) for name in extra):
        raise InputError(f"extra: request fields by name are needed, not {show(extra)}")
    refuse_keys(extra)
    taken = sorted(_OWN_FIELDS & set(extra))
    if taken:
        raise InputError(f"extra: {taken[0]} is set by the study itself; leave it out")
    try:
        json.dumps(extra, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"extra: holds what JSON cannot ({error}); write it as a number or in quotes") from error
    return dict(extra)


def _max_tokens_field(environment: Mapping[str, Any]) -> str:
    field_name = environment.get("max_tokens_field", MAX_TOKENS_FIELDS[0])
    if field_name not in MAX_TOKENS_FIELDS:
        raise InputError(f"max_tokens_field: one of {', '.join(MAX_TOKENS_FIELDS)} is needed, not {field_name!r}")
    return str(field_name)


def _store(environment: Mapping[str, Any], endpoint: str) -> Path | None:
    if "store" in environment:
        store = environment["store"]
        return None if store is None else Path(str(store))
    host = urlsplit(endpoint).netloc.rpartition("@")[2]
    return STORES / ("".join(c if c.isalnum() or c in ".-" else "_" for c in host.lower()) + ".sqlite")


def _whole(environment: Mapping[str, Any], name: str, default: int, *, least: int) -> int:
    value = environment.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{name}: a whole number of at least {least} is needed, not {value!r}")
    return value


def _seconds(environment: Mapping[str, Any], name: str, default: float) -> float:
    value = environment.get(name, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise InputError(f"{name}: a number of seconds above 0 is needed, not {value!r}")
    return float(value)

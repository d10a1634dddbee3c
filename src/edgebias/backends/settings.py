"""Settings of environments: the section ``environments``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from edgebias.backends.endpoint.address import LOOPBACK, read_base_url, read_variable
from edgebias.backends.endpoint.key import refuse_keys
from edgebias.backends.registry import BACKENDS
from edgebias.core.errors import InputError
from edgebias.core.record import OneOf, Record, SetOf

T = TypeVar("T")

BackendName = Annotated[str, OneOf(BACKENDS.names, "backend")]
"""The name of a backend."""


def _unshown(key: str, read: Callable[[T], T]) -> AfterValidator:
    """Check a value by ``read``, and show nothing of it where it is refused."""

    def check(value: T) -> T:
        try:
            return read(value)
        except InputError as error:
            raise PydanticCustomError("unshown", "{fault}", {"fault": str(error).removeprefix(f"{key}: ")}) from None

    return AfterValidator(check)


def _without_keys(value: dict[str, Any]) -> dict[str, Any]:
    refuse_keys(value)
    return value


def _endpoint(value: str) -> str:
    return value if value == LOOPBACK else read_base_url(value)


class Budget(Record):
    """The most that may be spent over the life of a store; what is left out is not limited."""

    requests: int | None = Field(default=None, ge=1)
    """Requests."""
    prompt_tokens: int | None = Field(default=None, ge=1)
    """Tokens of prompts."""
    generated_tokens: int | None = Field(default=None, ge=1)
    """Tokens of answers."""
    usd: float | None = Field(default=None, gt=0)
    """US dollars."""


class Price(Record):
    """What a model costs, in US dollars per million tokens."""

    prompt_usd_per_million: float = Field(ge=0)
    """Price of a million tokens of prompts."""
    generated_usd_per_million: float = Field(ge=0)
    """Price of a million tokens of answers."""


class EnvironmentSettings(Record):
    """What runs a model, and within which limits; a plugin's backend has further keys of its own."""

    model_config = ConfigDict(extra="allow")

    backend: BackendName
    """The engine."""
    threads: int = Field(default=1, ge=1, le=256)
    """Threads of the engine."""
    memory_mb: int = Field(default=4096, ge=64)
    """Memory in MiB: Snakemake counts it, and the operating system enforces it for llama.cpp in process."""
    context: int = Field(default=2560, ge=256)
    """Most tokens that the engine holds."""
    endpoint: Annotated[
        str,
        Field(json_schema_extra={"pattern": "^(loopback|https?://.+)$", "words": "loopback or an http(s) base URL"}),
        _unshown("endpoint", _endpoint),
    ] = LOOPBACK
    """Base URL of an endpoint; loopback starts llama-cpp-python's own server."""
    port: int = Field(default=0, ge=0, le=65535)
    """Port of the loopback server; 0 takes a free one."""
    api_key_env: Annotated[str, _unshown("api_key_env", read_variable)] | None = None
    """The environment variable that holds the endpoint's key."""
    timeout_s: float = Field(default=120, gt=0)
    """Most seconds of one try of a request."""
    max_retries: int = Field(default=4, ge=0)
    """How often a request is tried again."""
    omit: SetOf[str] | None = None
    """Request fields that the endpoint rejects, such as seed."""
    extra: Annotated[dict[str, Any], _unshown("extra", _without_keys)] | None = None
    """Request fields beyond those of the OpenAI API, as the endpoint wants them, such as top_k; not for loopback."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    """The endpoint's name of the limit on an answer's length; left out, max_tokens."""
    concurrency: int | None = Field(default=None, ge=1, le=256)
    """Most requests to an endpoint at once; left out, 1 for loopback and 4 elsewhere."""
    logprobs: bool | None = None
    """Whether to ask an endpoint for the log-probabilities of the first token; left out, false."""
    store: str | None = None
    """The file that a recorded environment replays. For an endpoint, where its answers and what they cost are kept:
    left out, data/paid_answers/HOST.sqlite; null keeps none."""
    budget: Budget | None = None
    """The most that may be spent over the life of the store."""
    prices: dict[str, Price] | None = None
    """Prices by the endpoint's own name of a model."""

"""What a client asks, in OpenAI's terms, checked and made plain.

One rule for every field of OpenAI's interface: what a user of a steered model needs is done, what would need another
engine is refused by name, and nothing is left out without a word. A null is a field that was not given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError, from_json

from edgebias.backends.base import Message, Prompt
from edgebias.models.settings import OF_EVERY_TEMPLATE
from edgebias.serve.json_grammar import JSON_OBJECT, schema_grammar
from edgebias.serve.refusal import Refused, shown

MOST_ANSWERS = 128
"""Answers to one request: its prompts times ``n``."""

MOST_STOPS = 64
"""Stop texts of one request; all are looked for after every token."""

COLDEST = 1e-3
"""A temperature below it is 0: logits divided by it would leave the range of 32-bit floats."""

M = TypeVar("M", bound="_Fields")

REFUSED: Mapping[str, tuple[str, tuple[Any, ...]]] = {
    "tools": ("no tools are called here", ()),
    "tool_choice": ("no tools are called here", ("none",)),
    "parallel_tool_calls": ("no tools are called here", ()),
    "functions": ("no functions are called here", ()),
    "function_call": ("no functions are called here", ("none",)),
    "store": ("nothing is stored here", (False,)),
    "metadata": ("nothing is stored here", ({},)),
    "reasoning_effort": ("how long the model thinks cannot be set here", ()),
    "verbosity": ("it cannot be set here, but for max_completion_tokens", ()),
    "modalities": ("this model writes text alone", (["text"],)),
    "audio": ("this model writes text alone", ()),
    "prediction": ("no text is predicted here", ()),
    "web_search_options": ("nothing is searched for here", ()),
    "service_tier": ("there is one tier here", ("auto", "default")),
    "suffix": ("nothing is filled in here", ()),
    "best_of": ("every answer is sent here, and n says how many", (1,)),
}
"""Fields of OpenAI's that are not done here: why, and the values that ask for nothing."""


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class _StreamOptions(_Fields):
    include_usage: bool = False
    include_obfuscation: Literal[False] = False


class _Common(_Fields):
    """Fields of chats and completions alike; the defaults are OpenAI's."""

    model: Annotated[str, Field(min_length=1)] | None = None
    n: int = Field(1, ge=1, le=MOST_ANSWERS)
    temperature: float = Field(1.0, ge=0.0, le=2.0)
    top_p: float = Field(1.0, ge=0.0, le=1.0)
    presence_penalty: float = Field(0.0, ge=-2.0, le=2.0)
    frequency_penalty: float = Field(0.0, ge=-2.0, le=2.0)
    logit_bias: dict[str, Annotated[float, Field(ge=-100.0, le=100.0)]] = {}
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: list[Annotated[str, Field(min_length=1)]] = Field([], max_length=MOST_STOPS)
    stream: bool = False
    stream_options: _StreamOptions | None = None
    # Labels of a client's own that change no answer, here as with OpenAI.
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    # llama.cpp's own sampling.
    top_k: int = Field(0, ge=0, lt=2**31)
    min_p: float = Field(0.0, ge=0.0, le=1.0)
    repeat_penalty: float = Field(1.0, gt=0.0, le=10.0)

    @field_validator("stop", mode="before")
    @classmethod
    def _one_stop(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class _Message(_Fields):
    role: Literal["system", "developer", "user", "assistant"]
    content: str

    @field_validator("content", mode="before")
    @classmethod
    def _one_text(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return "\n".join(map(_part_text, value))


class _JsonSchema(_Fields):
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool = True
    description: str = ""


class _ResponseFormat(_Fields):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _JsonSchema | None = None


class _Chat(_Common):
    messages: list[_Message] = Field(min_length=1)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool = False
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: _ResponseFormat | None = None
    chat_template_kwargs: dict[str, Any] = {}
    """As vLLM, SGLang and llama.cpp's server take it, and as this package's own studies send it."""

    @field_validator("chat_template_kwargs")
    @classmethod
    def _of_its_own(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in OF_EVERY_TEMPLATE & set(value):
            raise PydanticCustomError("given", "{name} is given to every template already", {"name": shown(name)})
        return value


class _Completion(_Common):
    prompt: Any = ""
    max_tokens: int = Field(16, ge=0)
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool = False


@dataclass(frozen=True)
class Sampling:
    """How each token is chosen.

    Attributes:
        temperature: 0 for the likeliest token.
        top_p: the smallest set of tokens with this probability is left.
        top_k: the likeliest so many are left; 0 for all.
        min_p: tokens with this share of the likeliest one's probability are left.
        repeat_penalty: divides logits of tokens that were written.
        presence_penalty: is taken from logits of tokens that were written.
        frequency_penalty: the same, for each time.
        logit_bias: is added to the logit of each token.
        seed: of the draws; None for another one each time.
        grammar: what the text must be, in llama.cpp's notation; None for anything.
    """

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repeat_penalty: float
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[int, float]
    seed: int | None
    grammar: str | None

    def of(self, number: int) -> Sampling:
        """Return the sampling of answer ``number``: another seed for each."""
        return self if self.seed is None else replace(self, seed=self.seed + number)


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        chat: whether it is a conversation, and the answer a message.
        prompts: what is answered: conversations, texts, or tokens as they are.
        n: answers to each prompt.
        max_tokens: of each answer; None as far as the context goes.
        stops: texts that end an answer and are not part of it.
        sampling: how tokens are chosen.
        top_logprobs: alternatives beside each token's log-probability; None for no log-probabilities.
        echo: whether the prompt stands before the answer.
        variables: more names that the chat template may read, such as ``enable_thinking``.
        stream: whether the answer is sent while it is written.
        include_usage: whether a stream ends with the numbers of tokens.
    """

    chat: bool
    prompts: tuple[Prompt | tuple[int, ...], ...]
    n: int
    max_tokens: int | None
    stops: tuple[str, ...]
    sampling: Sampling
    top_logprobs: int | None
    echo: bool
    variables: Mapping[str, Any]
    stream: bool
    include_usage: bool


def read_chat(body: bytes) -> Asked:
    """Return what the body of a POST to ``/v1/chat/completions`` asks.

    Raises:
        Refused: it is no JSON, a field is unknown, not done here, or has a value that is not possible.
    """
    given = _object(body)
    given["messages"] = _without_nothings(given.get("messages"))
    chat = _fields(_Chat, given)
    if chat.max_tokens is not None and chat.max_completion_tokens is not None:
        raise Refused("max_tokens: stands beside max_completion_tokens; give one of them", param="max_tokens")
    if chat.top_logprobs is not None and not chat.logprobs:
        raise Refused("top_logprobs: needs logprobs to be true", param="top_logprobs")
    roles: dict[str, Any] = {"developer": "system"}
    messages = tuple(Message(roles.get(one.role, one.role), one.content) for one in chat.messages)
    return _asked(
        chat,
        chat=True,
        prompts=(Prompt(messages=messages),),
        max_tokens=chat.max_tokens or chat.max_completion_tokens,
        top_logprobs=(chat.top_logprobs or 0) if chat.logprobs else None,
        grammar=_grammar(chat.response_format),
        echo=False,
        variables=chat.chat_template_kwargs,
    )


def read_completion(body: bytes) -> Asked:
    """Return what the body of a POST to ``/v1/completions`` asks.

    Raises:
        Refused: as `read_chat`.
    """
    completion = _fields(_Completion, _object(body))
    prompts = _prompts(completion.prompt)
    if len(prompts) * completion.n > MOST_ANSWERS:
        raise Refused(f"n: {MOST_ANSWERS} answers at most to one request; lower it", param="n")
    if completion.max_tokens == 0 and not completion.echo:
        raise Refused("max_tokens: 0 leaves nothing to answer; raise it or set echo", param="max_tokens")
    return _asked(
        completion,
        chat=False,
        prompts=prompts,
        max_tokens=completion.max_tokens,
        top_logprobs=completion.logprobs,
        grammar=None,
        echo=completion.echo,
        variables={},
    )


def _asked(
    common: _Common,
    *,
    chat: bool,
    prompts: tuple[Prompt | tuple[int, ...], ...],
    max_tokens: int | None,
    top_logprobs: int | None,
    grammar: str | None,
    echo: bool,
    variables: Mapping[str, Any],
) -> Asked:
    if common.stream_options is not None and not common.stream:
        raise Refused("stream_options: needs stream to be true", param="stream_options")
    sampling = Sampling(
        temperature=common.temperature if common.temperature >= COLDEST else 0.0,
        top_p=common.top_p,
        top_k=common.top_k,
        min_p=common.min_p,
        repeat_penalty=common.repeat_penalty,
        presence_penalty=common.presence_penalty,
        frequency_penalty=common.frequency_penalty,
        logit_bias=_biases(common.logit_bias),
        seed=common.seed,
        grammar=grammar,
    )
    return Asked(
        chat=chat,
        prompts=prompts,
        n=common.n,
        max_tokens=max_tokens,
        stops=tuple(common.stop),
        sampling=sampling,
        top_logprobs=top_logprobs,
        echo=echo,
        variables=variables,
        stream=common.stream,
        include_usage=common.stream_options is not None and common.stream_options.include_usage,
    )


def _object(body: bytes) -> dict[str, Any]:
    """Return the fields of ``body`` that were given."""
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Refused(f"The body is no JSON ({error}).", code="invalid_json") from None
    if not isinstance(content, dict):
        raise Refused("The body is no JSON object.", code="invalid_json")
    return content


def _fields(kind: type[M], content: Mapping[str, Any]) -> M:
    for name, value in content.items():
        if name in REFUSED and name not in kind.model_fields:
            reason, nothing = REFUSED[name]
            if value is not None and (type(value), value) not in [(type(one), one) for one in nothing]:
                raise Refused(f"{name}: {reason}; leave it out", param=name, code="unsupported_parameter")
        elif name not in kind.model_fields:
            message = f"Unknown field {shown(name)}; leave it out."
            raise Refused(message, param=_name([name]), code="unknown_parameter")
    try:
        return kind.model_validate(_known(kind, content))
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        name = _name(found["loc"])
        raise Refused(f"{name}: {found['msg']}", param=name, code="invalid_value") from None


def _known(kind: type[BaseModel], content: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out nulls, also of fields within fields: in OpenAI's interface they were not given."""
    return {
        name: _given(value) if name in {"stream_options", "response_format"} and isinstance(value, dict) else value
        for name, value in content.items()
        if value is not None and name in kind.model_fields
    }


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out nulls; a schema is a client's own, in which they mean something."""
    return {
        name: _given(value) if name == "json_schema" and isinstance(value, dict) else value
        for name, value in fields.items()
        if value is not None
    }


def _without_nothings(messages: Any) -> Any:
    """Leave out what a message of an earlier answer has beside its content: nulls and empty lists."""
    if not isinstance(messages, list):
        return messages
    return [
        {key: value for key, value in message.items() if value is not None and value != []}
        if isinstance(message, dict)
        else message
        for message in messages
    ]


def _name(place: Sequence[int | str]) -> str:
    """Return ``messages[0].content`` for a place in the body."""
    name = ""
    for key in place:
        name += f"[{key}]" if isinstance(key, int) else f".{key}" if name else key
    return shown(name)[1:-1]


def _part_text(part: Any) -> str:
    if not isinstance(part, dict):
        raise PydanticCustomError("part", "a part of a content is an object with type and text")
    kind = part.get("type")
    if kind not in ("text", "refusal"):
        named = shown(kind) if isinstance(kind, str) else "of no type"
        raise PydanticCustomError("part", "a part is {kind}; this model reads parts of type 'text'", {"kind": named})
    text = part.get(kind)
    if not isinstance(text, str):
        raise PydanticCustomError("part", "a part of type 'text' has a text")
    if set(part) - {"type", kind}:
        other = shown(str(min(set(part) - {"type", kind})))
        raise PydanticCustomError("part", "a part has {other}, which is not known here", {"other": other})
    return text


def _prompts(given: Any) -> tuple[Prompt | tuple[int, ...], ...]:
    """Return the prompts of a completion: one or several, each a text or tokens."""
    if isinstance(given, list) and given and not _tokens(given):
        return tuple(_prompt(one) for one in given)
    return (_prompt(given),)


def _prompt(given: Any) -> Prompt | tuple[int, ...]:
    if isinstance(given, str):
        return Prompt(text=given)
    if _tokens(given):
        return tuple(given)
    raise Refused("prompt: is neither a text nor tokens, nor a list of those", param="prompt")


def _tokens(given: Any) -> bool:
    return isinstance(given, list) and bool(given) and all(type(one) is int for one in given)


def _biases(given: Mapping[str, float]) -> dict[int, float]:
    for key in given:
        if not (key.isascii() and key.isdecimal() and len(key) < 10):
            raise Refused(f"logit_bias: {shown(key)} is no number of a token", param="logit_bias")
    return {int(key): value for key, value in given.items()}


def _grammar(wanted: _ResponseFormat | None) -> str | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return JSON_OBJECT
    if wanted.json_schema is None:
        name = "response_format.json_schema"
        raise Refused(f"{name}: is missing; type 'json_schema' needs it", param=name)
    return schema_grammar(wanted.json_schema.schema_, "response_format.json_schema.schema")

"""From a checked request to the parts of its answers, and from those to OpenAI's objects."""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from edgebias.backends.base import Prompt
from edgebias.core.errors import InputError
from edgebias.serve.live import LiveModel, Written
from edgebias.serve.refusal import Refused
from edgebias.serve.request import Asked
from edgebias.serve.text_so_far import Part, TextSoFar

LOWEST = -9999.0
"""What OpenAI gives for a log-probability below it."""


@dataclass(frozen=True)
class Told:
    """A further part of an answer.

    Attributes:
        index: of the answer.
        part: its text and tokens.
        begins: whether it is the first part, which no token stands behind.
        finish: why the answer ends with it, ``stop`` or ``length``; None where it goes on.
    """

    index: int
    part: Part
    begins: bool = False
    finish: str | None = None


def ready(model: LiveModel, asked: Asked) -> tuple[list[int], ...]:
    """Return the tokens of each prompt of ``asked``, all of which can be answered. The model need not be free.

    Raises:
        Refused: a prompt cannot be made or leaves no room for an answer, or a token or the schema is not possible.
    """
    with _refusing("logit_bias"):
        model.check_biases(asked.sampling.logit_bias)
    with _refusing("response_format"):
        model.check_grammar(asked.sampling.grammar)
    param = "messages" if asked.chat else "prompt"
    if not all(model.may_hold(prompt) for prompt in asked.prompts):
        raise _too_long(param, "too many", model.context)
    with _refusing(param):
        prompts = tuple(model.tokens_of(prompt, asked.variables) for prompt in asked.prompts)
    for tokens in prompts:
        if len(tokens) + (asked.max_tokens != 0) > model.context:
            raise _too_long(param, str(len(tokens)), model.context)
    return prompts


def _too_long(param: str, count: str, context: int) -> Refused:
    message = f"{param}: {count} tokens, but the context length is {context}; shorten it"
    return Refused(message, param=param, code="context_length_exceeded")


@contextmanager
def _refusing(param: str) -> Iterator[None]:
    """Turn a fault of the input into a refusal of the field ``param``."""
    try:
        yield
    except InputError as error:
        raise Refused(str(error), param=param) from None


def told(model: LiveModel, asked: Asked, prompts: Sequence[list[int]]) -> Generator[Told, None, None]:
    """Yield the answers part by part, one answer after the other. The model has to be free.

    Args:
        model: the live model.
        asked: the request.
        prompts: what `ready` returned for it.

    Raises:
        InputError: the model has no token with which the schema can go on.
    """
    for place, (prompt, tokens) in enumerate(zip(asked.prompts, prompts, strict=True)):
        model.steer_for(prompt)
        model.counts.read += len(tokens)
        begins = _echo(model.read(tokens, asked.top_logprobs), prompt) if asked.echo else Part()
        for number in range(asked.n):
            index = place * asked.n + number
            yield Told(index, begins, begins=True)
            yield from _answer(model, asked, tokens, number, index, len(begins.text))


def _answer(model: LiveModel, asked: Asked, tokens: list[int], number: int, index: int, length: int) -> Iterator[Told]:
    room = model.context - len(tokens)
    limit = room if asked.max_tokens is None else min(asked.max_tokens, room)
    text, n_written = TextSoFar(asked.stops, length), 0
    for written in model.write(tokens, asked.sampling.of(number), limit=limit, top=asked.top_logprobs):
        n_written += 1
        yield Told(index, text.add(written))
        if text.stopped:
            break
    yield Told(index, text.end(), finish="length" if n_written == limit and not text.stopped else "stop")


def _echo(read: Sequence[Written], prompt: Prompt | tuple[int, ...]) -> Part:
    whole, places = b"", []
    for token in read:
        places.append((len(whole.decode("utf-8", "replace")), token))
        whole += token.piece
    text = prompt.text if isinstance(prompt, Prompt) else None
    return Part(whole.decode("utf-8", "replace") if text is None else text, tuple(places))


@dataclass
class _Whole:
    """An answer as far as it was told."""

    text: str = ""
    tokens: list[tuple[int, Written]] = field(default_factory=list)
    finish: str | None = None


class Reply:
    """OpenAI's objects for the answers to one request.

    Args:
        asked: the request.
        name: of the model that answers.
        prompt_tokens: of all prompts.
    """

    def __init__(self, asked: Asked, name: str, prompt_tokens: int) -> None:
        self._asked, self._prompt_tokens, self._completion_tokens = asked, prompt_tokens, 0
        self._wholes: dict[int, _Whole] = {}
        identity = f"{'chatcmpl' if asked.chat else 'cmpl'}-{uuid.uuid4().hex}"
        self._head = {"id": identity, "created": int(time.time()), "model": name}

    def take(self, told: Told) -> None:
        """Add ``told`` to the object of `whole`, and its token to the usage."""
        self._completion_tokens += not told.begins and told.finish is None
        if not self._asked.stream:
            whole = self._wholes.setdefault(told.index, _Whole())
            whole.text += told.part.text
            whole.tokens += told.part.tokens
            whole.finish = told.finish

    def whole(self) -> dict[str, Any]:
        """Return the one object for all parts."""
        choices = [self._choice(index, answer) for index, answer in self._wholes.items()]
        kind = "chat.completion" if self._asked.chat else "text_completion"
        return {**self._head, "object": kind, "choices": choices, "usage": self._usage()}

    def chunks(self, told: Told) -> Iterator[dict[str, Any]]:
        """Yield what a stream has for one part."""
        part = told.part
        if told.begins and self._asked.chat:
            yield self._chunk(told.index, {"role": "assistant", "content": ""}, Part(), None)
        elif part.text or part.tokens:
            yield self._chunk(told.index, {"content": part.text}, part, None)
        if told.finish is not None:
            yield self._chunk(told.index, {}, Part(), told.finish)

    def last_chunk(self) -> dict[str, Any]:
        """Return the object that tells the numbers of tokens at the end of a stream."""
        return {**self._head, "object": self._chunk_kind, "choices": [], "usage": self._usage()}

    @property
    def _chunk_kind(self) -> str:
        return "chat.completion.chunk" if self._asked.chat else "text_completion"

    def _choice(self, index: int, answer: _Whole) -> dict[str, Any]:
        message = {"role": "assistant", "content": answer.text, "refusal": None}
        said = {"message": message} if self._asked.chat else {"text": answer.text}
        logprobs = self._logprobs(answer.tokens)
        return {"index": index, **said, "logprobs": logprobs, "finish_reason": answer.finish}

    def _chunk(self, index: int, delta: dict[str, str], part: Part, finish: str | None) -> dict[str, Any]:
        said = {"delta": delta} if self._asked.chat else {"text": part.text}
        logprobs = self._logprobs(part.tokens) if part.tokens else None
        usage = {"usage": None} if self._asked.include_usage else {}
        choice = {"index": index, **said, "logprobs": logprobs, "finish_reason": finish}
        return {**self._head, "object": self._chunk_kind, "choices": [choice], **usage}

    def _usage(self) -> dict[str, int]:
        read, written = self._prompt_tokens, self._completion_tokens
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}

    def _logprobs(self, tokens: Sequence[tuple[int, Written]]) -> dict[str, Any] | None:
        if self._asked.top_logprobs is None:
            return None
        if self._asked.chat:
            return {"content": [_token_logprobs(token) for _, token in tokens], "refusal": None}
        return {
            "tokens": [_shown(token.piece) for _, token in tokens],
            "token_logprobs": [None if token.logprob is None else _bounded(token.logprob) for _, token in tokens],
            "top_logprobs": [_top(token) for _, token in tokens] if self._asked.top_logprobs else None,
            "text_offset": [place for place, _ in tokens],
        }


def _token_logprobs(token: Written) -> dict[str, Any]:
    return {
        **_token(token.piece, token.logprob),
        "top_logprobs": [_token(piece, logprob) for piece, logprob in token.top],
    }


def _token(piece: bytes, logprob: float | None) -> dict[str, Any]:
    return {"token": _shown(piece), "bytes": list(piece), "logprob": _bounded(logprob)}


def _top(token: Written) -> dict[str, float] | None:
    if token.logprob is None:
        return None
    named = {_shown(piece): _bounded(logprob) for piece, logprob in reversed(token.top)}
    return {_shown(token.piece): _bounded(token.logprob)} | dict(reversed(named.items()))


def _shown(piece: bytes) -> str:
    """Return a token as text; one that is no whole character as OpenAI shows it."""
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in piece)


def _bounded(logprob: float | None) -> float:
    return LOWEST if logprob is None else max(logprob, LOWEST)

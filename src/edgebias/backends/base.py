"""The protocol of a backend and the records that pass through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, Self

from edgebias.core.errors import InputError


class ContextError(InputError):
    """A prompt, with what is to follow it, is longer than the model's context."""


class NotFiniteError(InputError):
    """A model's logits are infinite or no numbers, so that nothing can be read from them."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Prompt:
    """What a model is shown: plain ``text``, or ``messages`` that the model's own chat template renders.

    ``Prompt(text="")`` stands for a text that begins here: the model's start token alone.
    Exactly one of the two is given.
    """

    text: str | None = None
    messages: tuple[Message, ...] = ()

    def __post_init__(self) -> None:
        if (self.text is None) == (not self.messages):
            raise ValueError("a prompt is either text or messages")


@dataclass(frozen=True)
class OptionRequest:
    """Score every option as a continuation of ``prompt``.

    An option is the exact continuation, its leading space included where one belongs.
    """

    prompt: Prompt
    options: tuple[str, ...]


@dataclass(frozen=True)
class OptionScores:
    """Summed log-probability (natural logarithm) and token count of each option of one request.

    ``tokens`` and ``token_logprobs`` name the tokens behind each sum, in the model's own vocabulary, and the
    log-probability of each given what stands to its left; both are empty where a backend does not tell them.
    """

    logprobs: tuple[float, ...]
    n_tokens: tuple[int, ...]
    tokens: tuple[tuple[int, ...], ...] = ()
    token_logprobs: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class GenerationSettings:
    """How to generate: greedy where ``temperature`` is 0; ``stop`` strings end a text and are not part of it."""

    max_new_tokens: int
    temperature: float = 0.0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class GenerationRequest:
    """One prompt to continue; ``seed`` matters only where the temperature is above 0.

    ``options`` are scored as the first thing written after the prompt, which costs next to nothing while it is
    continued anyway.
    """

    prompt: Prompt
    seed: int = 0
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Generation:
    """What a model wrote, and the scores of the request's options; None where it had none or they cannot be had."""

    text: str
    n_tokens: int
    scores: OptionScores | None = None


@dataclass(frozen=True)
class Usage:
    """What the work so far cost: for the cost table, never for a response table."""

    prompt_tokens: int = 0
    generated_tokens: int = 0
    scored_tokens: int = 0
    seconds: float = 0.0
    notes: dict[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """A loaded model. Use it as a context manager; answers come in the order of the requests.

    A class may inherit from this one. Then it needs ``name``, ``scores_options``, ``score`` and ``generate`` alone.

    A backend may evaluate several requests of a call together: give it the whole list. An answer is determined by the
    list, and by it alone where the list has more than one request. A request that is given alone may be read from
    where the one before it left off, until `forget` is called.

    ``skip`` leaves out the answers to that many first requests, which are known from before a job was broken off: what
    is evaluated together stays the same as for the whole list, and so do the answers, bit for bit.
    """

    name: str
    scores_options: bool
    """Whether option log-probabilities can be had; where not, `score` raises `InputError`."""

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield the scores of each request from number ``skip`` on, in order, with their tokens where these are known.

        Raises:
            ContextError: a request does not fit in the context.
        """
        ...

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        """Yield the text for each request from number ``skip`` on, in order.

        Raises:
            ContextError: a prompt and its new tokens do not fit in the context.
        """
        ...

    def forget(self) -> None:
        """Keep nothing of what was read so far, so that the next answer does not depend on it."""
        return None

    def usage(self) -> Usage:
        """Return what the work so far cost."""
        return Usage()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

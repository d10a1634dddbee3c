"""The tokens of a prompt, and what every local backend demands of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from edgebias.backends.base import ContextError, Prompt
from edgebias.backends.chat_template import check_shows_messages, render_chat
from edgebias.core.errors import InputError

START_TOKEN_KEY = "edgebias.start_token"
"""Key of a GGUF file's metadata with the text of the token that a sentence without context follows.

Written by ``edgebias full-precision`` from ``models.{model}.start_token`` and inherited by every build. llama.cpp
ignores keys it does not know.
"""

START_SETTING = "edgebias_start"
"""The same in the ``tokenizer_config.json`` of a folder; transformers would take ``*_token`` for a control token."""

LINE_BREAK = "\n"
"""What a sentence without context follows in a model that is given no begin token: Qwen2.5-Coder-0.5B has four times
the perplexity after its unused one (docs/notebook/2026-11-start-token.md)."""


class Tokenise(Protocol):
    """A model's tokeniser."""

    def __call__(self, text: str, *, special: bool) -> list[int]:
        """Return the tokens of ``text`` without any added begin token; ``special`` lets it name control tokens."""
        ...


@dataclass(frozen=True)
class PromptForm:
    """What a model's prompts look like.

    Attributes:
        start: the start token of a plain text, which a chat template brings itself; may be empty.
        template: Jinja2 source of the chat template; None where the model has none.
        bos_token: text of the model's begin token, empty where it has none.
        eos_token: text of the model's end token, empty where it has none.
        variables: more names that the template may read.
    """

    start: tuple[int, ...]
    template: str | None
    bos_token: str
    eos_token: str
    variables: Mapping[str, Any] = field(default_factory=dict)

    def text(self, prompt: Prompt) -> str:
        """Return ``prompt`` as one text: its own, or its messages in the chat template.

        Raises:
            InputError: messages are asked of a model that has no chat template, or the template refuses them.
        """
        if prompt.text is not None:
            return prompt.text
        check_shows_messages(self.template)
        return render_chat(
            self.template,
            prompt.messages,
            bos_token=self.bos_token,
            eos_token=self.eos_token,
            variables=self.variables,
        )

    def tokens(self, index: int, prompt: Prompt, tokenise: Tokenise) -> list[int]:
        """Return the tokens of the prompt of request ``index``.

        Raises:
            InputError: it has none, or messages are asked of a model that has no chat template.
        """
        written = prompt.text is not None
        tokens = tokenise(self.text(prompt), special=not written)
        tokens = [*self.start, *tokens] if written else tokens
        check_prompt(index, tokens)
        return tokens


def check_fits_context(index: int, needed: int, context: int) -> None:
    """Check that request ``index`` fits.

    Raises:
        ContextError: it needs more tokens than the context has.
    """
    if needed > context:
        raise ContextError(
            f"request {index}: {needed} tokens, but the context holds {context}; "
            "raise the environment's context or shorten the prompt"
        )


def option_tokens(index: int, options: Sequence[str], tokenise: Callable[[str], list[int]]) -> list[list[int]]:
    """Return the tokens of each option of request ``index``.

    Raises:
        InputError: there is none, or one is empty.
    """
    tokens = [tokenise(option) for option in options]
    if not tokens or not all(tokens):
        raise InputError(f"request {index}: an option is empty; give every option a text")
    return tokens


def named_start(named: str, tokenise: Tokenise, weights: object) -> list[int]:
    """Return the token that is named as what a sentence without context follows.

    Raises:
        InputError: the name is not one token of the model.
    """
    tokens = tokenise(named, special=True)
    if len(tokens) != 1:
        raise InputError(f"start_token: {named!r} is not one token of {weights}; name one that is")
    return tokens


def check_prompt(index: int, tokens: Sequence[int]) -> None:
    """Check that the prompt of request ``index`` has a token.

    Raises:
        InputError: it has none.
    """
    if not tokens:
        raise InputError(f"request {index}: the prompt is empty and the model has no begin token; set start_token")

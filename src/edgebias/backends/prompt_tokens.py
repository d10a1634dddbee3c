"""What both local backends demand of a request's tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgebias.backends.base import ContextError
from edgebias.errors import InputError


def check_room(index: int, needed: int, context: int) -> None:
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
    """The tokens of each option of request ``index``.

    Raises:
        InputError: there is none, or one is empty.
    """
    tokens = [tokenise(option) for option in options]
    if not tokens or not all(tokens):
        raise InputError(f"request {index}: an option is empty; give every option a text")
    return tokens


def check_start(start_token: str, tokens: Sequence[int], weights: object) -> None:
    """Check that the start token is one token of the model.

    Raises:
        InputError: it is not.
    """
    if len(tokens) != 1:
        raise InputError(f"start_token: {start_token!r} is not one token of {weights}; name one that is")


def check_prompt(index: int, tokens: Sequence[int]) -> None:
    """Check that the prompt of request ``index`` has a token.

    Raises:
        InputError: it has none.
    """
    if not tokens:
        raise InputError(f"request {index}: the prompt is empty and the model has no begin token; set start_token")

"""llama-cpp-python's server with the prompts of every other environment.

Left to itself the library takes a built-in format where it thinks that it is the model's own, Llama 2's where the model
has none, and today's date in a template that asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edgebias.backends.chat_template import NO_TEMPLATE, REFUSED, check_shows_messages, render_turns
from edgebias.backends.local.llama_vocabulary import LlamaVocabulary
from edgebias.core.errors import InputError

SERVED_FORMAT = "edgebias"
"""What ``chat_format`` of the library's model settings says, once `register_served_format` was called."""

TEMPLATE_VARIABLES = "template_variables"
"""Under which name the library hands on the template's own variables: among its arguments one that is called as another
argument would be lost."""


def register_served_format() -> None:
    """Teach llama-cpp-python's server the format `SERVED_FORMAT`, and to answer 400 where a prompt cannot be made."""
    from llama_cpp.llama_chat_format import LlamaChatCompletionHandlerRegistry
    from llama_cpp.server.errors import RouteErrorHandler

    LlamaChatCompletionHandlerRegistry().register_chat_completion_handler(SERVED_FORMAT, _answer, overwrite=True)
    refusals = re.compile("|".join(map(re.escape, (NO_TEMPLATE, REFUSED))))
    RouteErrorHandler.pattern_and_formatters[refusals] = _refusal


def library_vocabulary(model: Any) -> LlamaVocabulary:
    """Return the vocabulary of llama-cpp-python's ``Llama``."""
    return LlamaVocabulary(model._model.model, Path(model.model_path))


def _answer(*, llama: Any, messages: Sequence[Mapping[str, Any]], **options: Any) -> Any:
    from llama_cpp.llama_chat_format import chat_formatter_to_chat_completion_handler

    answer = chat_formatter_to_chat_completion_handler(partial(_prompt, llama))
    return answer(llama=llama, messages=messages, **options)


def _prompt(llama: Any, *, messages: Sequence[Mapping[str, Any]], **given: Any) -> Any:
    from llama_cpp.llama_chat_format import ChatFormatterResponse

    form = library_vocabulary(llama).prompt_form(None)
    try:
        check_shows_messages(form.template)
        text = render_turns(
            form.template,
            messages,
            bos_token=form.bos_token,
            eos_token=form.eos_token,
            variables=given.get(TEMPLATE_VARIABLES),
        )
    except InputError as error:
        raise ValueError(str(error)) from error
    return ChatFormatterResponse(prompt=text, stop=[form.eos_token] if form.eos_token else [], added_special=True)


def _refusal(_request: Any, match: re.Match[str]) -> tuple[int, Any]:
    error = {"message": match.string, "type": "invalid_request_error", "param": "messages", "code": None}
    return 400, error

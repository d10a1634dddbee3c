"""Render messages with a model's own chat template, in one way for every backend that loads weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from edgebias.backends.base import Message
from edgebias.core.errors import InputError

if TYPE_CHECKING:
    from jinja2 import Template


def render_chat(template: str | None, messages: Sequence[Message], *, bos_token: str, eos_token: str) -> str:
    """Render ``messages`` and open the assistant's turn.

    The environment is that of ``transformers.PreTrainedTokenizerBase.apply_chat_template`` (sandboxed Jinja2,
    ``trim_blocks``, ``lstrip_blocks``, loop controls, ``raise_exception``, ``tojson``), except for ``strftime_now``:
    it is left out, so that a template that prints today's date falls back to its fixed one and a prompt never
    depends on the day of the run.

    Args:
        template: Jinja2 source, as in GGUF metadata ``tokenizer.chat_template``; None where the model has none.
        messages: the turns so far.
        bos_token: text of the model's begin token, empty where it has none.
        eos_token: text of the model's end token, empty where it has none.

    Raises:
        InputError: the model has no template, or the template refuses these messages.
    """
    if not template:
        raise InputError("the model has no chat template; use a plain text prompt or an instruction-tuned model")
    import jinja2

    try:
        return _compiled(template).render(
            messages=[{"role": message.role, "content": message.content} for message in messages],
            add_generation_prompt=True,
            bos_token=bos_token,
            eos_token=eos_token,
        )
    except jinja2.TemplateError as error:
        raise InputError(
            f"the model's chat template refuses these messages ({error}); roles: {[m.role for m in messages]}"
        ) from error


@lru_cache(maxsize=4)
def _compiled(template: str) -> Template:
    """Compile a template once.

    Compiling takes longer than rendering, and a model has one template for all of its prompts.
    """
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    return environment.from_string(template)


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise_exception(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)

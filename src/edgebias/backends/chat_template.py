"""Render messages with a model's own chat template, in one way for every backend that loads weights.

The environment is that of transformers 5 (``transformers.utils.chat_template_utils``), to which a test compares every
byte: sandboxed Jinja2, ``trim_blocks``, ``lstrip_blocks``, loop controls, the block ``generation``, ``tojson`` without
HTML escapes, ``raise_exception``, ``strftime_now``, and ``tools`` and ``documents`` that are none. That function itself
is not called: its ``strftime_now`` reads the clock, and importing it takes 25 MB of an edge's memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from edgebias.backends.base import Message
from edgebias.core.errors import InputError, one_line

if TYPE_CHECKING:
    from jinja2 import Template, nodes
    from jinja2.parser import Parser

TODAY = datetime(2024, 7, 26)
"""What ``strftime_now`` tells, on every day and in every environment: the date that templates of Llama 3 name where
there is no such function, so that prompts with and without it are the same."""

LONGEST = 2**22
"""Most characters of a rendered prompt, and most steps of its loops over ``range``: a template is another's program."""

NO_TEMPLATE = (
    "the model has no chat template: it is a base model, or its file lost it; "
    "ask it in the formats likelihood and continuation, or take the instruction-tuned model"
)
"""Why messages cannot be shown to a model, and the way out."""

REFUSED = "the model's chat template "
"""How the message begins where a template cannot be used, or refuses what it is given."""


def render_chat(
    template: str | None,
    messages: Sequence[Message],
    *,
    bos_token: str,
    eos_token: str,
    variables: Mapping[str, Any] | None = None,
) -> str:
    """Render ``messages`` and open the assistant's turn.

    Where the template has no system turn, that is, refuses one or leaves its text out, the text stands at the head of
    the user turn that follows.

    Args:
        template: Jinja2 source, as in GGUF metadata ``tokenizer.chat_template``; None where the model has none.
        messages: the turns so far.
        bos_token: text of the model's begin token, empty where it has none.
        eos_token: text of the model's end token, empty where it has none.
        variables: more names that the template may read, such as ``enable_thinking``.

    Raises:
        InputError: the model has no template, or the template refuses these messages.
    """

    def rendered(messages: Sequence[Message]) -> str:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        return render_turns(template, turns, bos_token=bos_token, eos_token=eos_token, variables=variables)

    if not (template and [message.role for message in messages[:2]] == ["system", "user"]):
        return rendered(messages)
    system, user, *later = messages
    try:
        text = rendered(messages)
    except InputError:
        text = ""
    if text and system.content.strip() in text:
        return text
    return rendered([Message("user", f"{system.content}\n\n{user.content}"), *later])


def render_turns(
    template: str | None,
    turns: Sequence[Mapping[str, Any]],
    *,
    bos_token: str,
    eos_token: str,
    variables: Mapping[str, Any] | None = None,
) -> str:
    """Render ``turns`` of the OpenAI API, whose entries of null are left out, as `render_chat` renders messages.

    Raises:
        InputError: the model has no template, or the template refuses these turns.
    """
    check_template(template)
    tokens = {"bos_token": bos_token, "eos_token": eos_token}
    names = {
        "messages": [{key: value for key, value in turn.items() if value is not None} for turn in turns],
        "tools": None,
        "documents": None,
        "add_generation_prompt": True,
        **{name: token for name, token in tokens.items() if token},
        **(variables or {}),
    }
    try:
        return _joined(_compiled(str(template)), names)
    except Exception as error:  # a template is a program: besides Jinja2's own errors it raises any of Python's
        roles = [turn.get("role") for turn in turns]
        raise InputError(f"{REFUSED}refuses these messages ({_reason(error)}); roles: {roles}") from error


def check_template(template: str | None) -> None:
    """Check that messages can be shown to a model whose chat template is ``template``.

    Raises:
        InputError: it has none, or one that is no Jinja2.
    """
    if not template:
        raise InputError(NO_TEMPLATE)
    try:
        _compiled(template)
    except Exception as error:  # besides Jinja2's own errors the compiler of Python raises SyntaxError and others
        raise InputError(
            f"{REFUSED}is no Jinja2 ({_reason(error)}); mend it in the file, or ask in likelihood and continuation"
        ) from error


PROBE = "edgebias"
"""A message whose text every usable template writes."""


@lru_cache(maxsize=4)
def check_shows_messages(template: str | None) -> None:
    """Check that a model is shown what a user says.

    Templates of models that see images walk over the parts of a content, and find none in a text.

    Raises:
        InputError: the model has no template, or one that leaves the text out.
    """
    check_template(template)
    names = {"messages": [{"role": "user", "content": PROBE}], "add_generation_prompt": True}
    try:
        shown = _joined(_compiled(str(template)), {**names, "tools": None, "documents": None})
    except Exception:  # it may refuse a message alone; what it is given later is told then
        return
    if PROBE not in shown:
        raise InputError(
            f"{REFUSED}leaves out what a user says (it may be for contents in parts); mend it in the file, or ask in "
            "likelihood and continuation"
        )


def _reason(error: Exception) -> str:
    return one_line(error, 300) or type(error).__name__


def _joined(template: Template, names: Mapping[str, Any]) -> str:
    template.environment.steps = 0  # type: ignore[attr-defined]
    parts: list[str] = []
    length = 0
    for part in template.generate(names):
        parts.append(part)
        length += len(part)
        if length > LONGEST:
            raise ValueError(f"it writes more than {LONGEST} characters")
    return "".join(parts)


@lru_cache(maxsize=4)
def _compiled(template: str) -> Template:
    """Compile a template once.

    Compiling takes longer than rendering, and a model has one template for all of its prompts.
    """
    from jinja2 import nodes
    from jinja2.exceptions import SecurityError
    from jinja2.ext import Extension
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import Namespace

    class Generation(Extension):
        """``{% generation %}``, which marks what the assistant wrote; the text inside is rendered as it is."""

        tags = {"generation"}  # noqa: RUF012  # as Jinja2 declares it

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)

    class PublicNamespace(Namespace):
        """A namespace without private names, which lead out of a sandbox."""

        def __init__(self, /, *arguments: Any, **names: Any) -> None:
            super().__init__(*arguments, **names)
            for name in dict(*arguments, **names):
                _check_public(name)

        def __setitem__(self, name: str, value: Any) -> None:
            _check_public(name)
            super().__setitem__(name, value)

    def _check_public(name: str) -> None:
        if name.startswith("_"):
            raise SecurityError(f"the name {name!r} is private")

    class Environment(ImmutableSandboxedEnvironment):
        steps = 0
        """What ``range`` has counted since the rendering began."""

        def call(self, context: Any, function: Any, /, *arguments: Any, **named: Any) -> Any:
            result = super().call(context, function, *arguments, **named)
            if isinstance(result, range):
                self.steps += len(result)
                if self.steps > LONGEST:
                    raise ValueError(f"its loops take more than {LONGEST} steps")
            return result

    environment = Environment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
    environment.filters["tojson"] = _to_json
    environment.globals |= {
        "raise_exception": _raise_exception,
        "strftime_now": TODAY.strftime,
        "namespace": PublicNamespace,
    }
    return environment.from_string(template)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)

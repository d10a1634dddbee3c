"""Whether messages can be shown to a model, as its file says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgebias.backends.chat_template import check_shows_messages
from edgebias.core.errors import InputError
from edgebias.models.gguf import open_header, text


def chat_template(weights: Path) -> str | None:
    """Return the Jinja2 source of the chat template in a GGUF file; None where it has none.

    Raises:
        InputError: the file is absent, cut short, or no model, or its template is no text.
    """
    return text(open_header(weights), "tokenizer.chat_template")


def check_chat(name: str, template: str | None, asked: Sequence[str]) -> None:
    """Check that a model can be asked all that ``asked`` names.

    Args:
        name: of the model, in ``models``.
        template: its chat template.
        asked: the parameters by which it is asked in chat turns; empty where it is not.

    Raises:
        InputError: chat turns are asked of it, and it has no template or a broken one.
    """
    if not asked:
        return
    try:
        check_shows_messages(template)
    except InputError as error:
        raise InputError(
            f"models.{name}: {error}. It is asked in chat turns by {', '.join(asked)}; set models.{name}.chat: false "
            "to leave these out"
        ) from error

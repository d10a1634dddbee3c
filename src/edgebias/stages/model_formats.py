"""Check that a model can be asked as the study asks it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings


def run(
    settings: Settings,
    weights: Annotated[Path, typer.Option(help="fetched GGUF")],
    output: Annotated[Path, typer.Option(help="what was found (JSON)")],
    asked: Annotated[
        list[str] | None,
        typer.Option(help="what asks the model in chat turns, such as `infer.formats.bbq`; repeat it for each"),
    ] = None,
) -> None:
    r"""Check, right after a model was fetched, that it has the chat template that the study needs.

    A base model has none: with ``chat: false`` in its entry of ``models`` it is asked in the formats that need none.
    Settings: one section ``models.NAME``.

    Raises:
        InputError: chat turns are asked of a model without a usable template, or the file is unfit.

    Example:
        edgebias model-formats --settings '{"models.m": {}}' --weights data/raw/models/m.gguf \
          --asked infer.formats.bbq --output results/edge/model_formats/m.json
    """
    from edgebias.core.files import write_json
    from edgebias.core.settings import only_one, parse_settings
    from edgebias.models.chat import chat_template, check_chat
    from edgebias.models.settings import ModelSettings

    name, _ = only_one(parse_settings(settings), "models", ModelSettings)
    template = chat_template(weights)
    check_chat(name, template, asked or [])
    write_json({"chat_template": bool(template), "asked": asked or []}, output)

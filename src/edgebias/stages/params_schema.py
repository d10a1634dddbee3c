"""Write what is generated from the model of the parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SCHEMA = Path("workflow/schemas/params.schema.json")
PAGE = Path("docs/reference/params.md")


def run(
    schema: Annotated[Path, typer.Option(help="JSON schema for editors to write.")] = SCHEMA,
    page: Annotated[Path, typer.Option(help="Reference page to write (Markdown).")] = PAGE,
) -> None:
    """Write the JSON schema of params.yaml for editors, and the reference page of its keys.

    Example:
        edgebias params-schema
    """
    from edgebias.core.files import write_json, write_text
    from edgebias.workflow.params_reference import json_schema, reference_page

    write_json(json_schema(), schema)
    write_text(reference_page(), page)

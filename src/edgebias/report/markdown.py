"""Markdown pages from the templates of this package."""

from __future__ import annotations

import re
from typing import Any


def rendered(template: str, **content: Any) -> str:
    """Return a Markdown page.

    Args:
        template: its file in ``templates``. Blocks of it are one blank line apart; a value in a cell of a table goes
            through the filter ``cell``.
        content: the variables of the template, all of which it may rely on.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("edgebias.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    page = environment.get_template(template).render(content)
    return re.sub(r"\n{3,}", "\n\n", page).strip() + "\n"

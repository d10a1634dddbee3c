"""Markdown pages from the templates of this package."""

from __future__ import annotations

from typing import Any


def rendered(template: str, **content: Any) -> str:
    """Return a Markdown page.

    Args:
        template: its file in ``templates``. A value of a table's cell goes through the filter ``cell``.
        content: the variables of the template, all of which it may rely on.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("edgebias.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    return environment.get_template(template).render(content)

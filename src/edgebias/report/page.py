"""The page: one HTML file that loads nothing from elsewhere."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebias.core.files import write_text
from edgebias.report.data import StudyData
from edgebias.report.figures import Figure, draw_all
from edgebias.report.numbers import ABSENT, MINUS
from edgebias.report.section import Section
from edgebias.report.sections import SECTIONS

if TYPE_CHECKING:
    from markupsafe import Markup

_NUMBER = rf"[-+\d.,{MINUS}]+"
WHOLE = re.compile(rf"\[{_NUMBER}, {_NUMBER}\]|\(ideal (?:{_NUMBER}|{ABSENT})(?: %)?\)")
"""What a reader takes in at once: an interval as `numbers.interval` writes it, and the ideal value in a head."""
SEAM = re.compile(r"_(?=[A-Za-z]{3})")
"""Where a name may break: before a word, not within ``q8_0``."""


def write_page(study: StudyData, path: Path) -> None:
    """Write the page to ``path`` (HTML), after its figures, which go to ``figures`` beside it (SVG)."""
    drawn = draw_all(study, [drawing for section in _shown(study) for drawing in section.drawings])
    for figure in drawn:
        write_text(figure.svg, path.parent / "figures" / f"{figure.name}.svg")
    write_text(render(study, drawn), path)


def render(study: StudyData, figures: Sequence[Figure]) -> str:
    """Return the whole page as text; every value goes through HTML escaping."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("edgebias.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda text: base64.b64encode(text.encode()).decode()
    environment.filters["svg_width"] = _svg_width
    environment.filters["cell"] = cell_markup
    loader = environment.loader
    assert loader is not None  # it was given above
    style = loader.get_source(environment, "style.css")[0]
    content: dict[str, Any] = {}
    sections = _shown(study)
    for section in sections:
        content |= section.content(study)
    return environment.get_template("page.html").render(
        study=study,
        style=Markup(style),  # the package's own file, no input
        sections=sections,
        figures={
            figure.name: {**dataclasses.asdict(figure), "position": position}
            for position, figure in enumerate(figures, start=1)
        },
        **content,
    )


def _shown(study: StudyData) -> list[Section]:
    return [section for section in SECTIONS if section.shown(study)]


def cell_markup(text: str) -> Markup:
    """Return the escaped text of a table's cell.

    A long name may break after an underscore, an interval may not break.
    """
    from markupsafe import Markup, escape

    safe = SEAM.sub("_<wbr>", str(escape(text)))
    return Markup(WHOLE.sub(r'<span class="whole">\g<0></span>', safe))  # what is not escaped is written here


def _svg_width(svg: str) -> int:
    """Return the width in CSS pixels; matplotlib writes points."""
    found = re.search(r'<svg[^>]* width="([0-9.]+)pt"', svg)
    return round(float(found.group(1)) * 96 / 72) if found else 960

"""Drawn figures, as deterministic SVG: fixed hash salt, no date, text as paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebias.report.canvas import STYLE, svg_text
from edgebias.report.data import StudyData

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


@dataclass(frozen=True)
class Drawing:
    """How a figure is drawn, with the words that a reader needs.

    Attributes:
        draw: gives None where the study has no data for it.
    """

    name: str
    title: str
    caption: str
    alt: str
    draw: Callable[[StudyData], Canvas | None]


@dataclass(frozen=True)
class Figure:
    """A drawn figure with the words that a reader needs."""

    name: str
    title: str
    caption: str
    alt: str
    svg: str


def draw_all(study: StudyData, drawings: Iterable[Drawing]) -> list[Figure]:
    """Return every figure whose data the study has, in the order given."""
    figures = []
    for drawing in drawings:
        with styled():
            canvas = drawing.draw(study)
            if canvas is not None:
                figures.append(Figure(drawing.name, drawing.title, drawing.caption, drawing.alt, svg_text(canvas)))
    return figures


@contextmanager
def styled() -> Iterator[None]:
    """Draw within this: without a display, and in the style of every figure."""
    import matplotlib  # takes a second to import

    matplotlib.use("svg", force=True)
    with matplotlib.rc_context(STYLE):
        yield

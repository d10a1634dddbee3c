"""What every figure is drawn with: colours, style, and a canvas that no global state knows of."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, which readers with any colour vision can tell apart."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Every series has a marker of its own as well: no figure depends on colour."""
ACROSS = 4
"""Panels side by side whose letters are still legible at the width of the page."""

COORDINATE = re.compile(r"(?P<factor>scale\([^)]*\))|-?\d+\.\d{4,}")
"""A coordinate with more digits than anyone sees; or the factor of a letter's size, of which every digit counts."""

HASHED_ID = re.compile(r"\b[pmC][0-9a-f]{10}\b|\bC[0-9a-f]+_[0-9a-f]+_[0-9a-f]{10}\b")
"""An id of a clip path, a marker or a collection."""
WIDTH = 10.4
"""Inches of a figure as wide as the page."""

STYLE: Any = {
    "svg.hashsalt": "edgebias",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.edgecolor": "#555555",
    "axes.labelcolor": "#222222",
    "xtick.color": "#444444",
    "ytick.color": "#222222",
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "figure.facecolor": "white",
}


def svg_text(canvas: Canvas) -> str:
    """Return the figure as SVG; the same data give the same bytes, on another processor as well.

    It has no date. Coordinates have the digits that rounding on another processor leaves alone, and ids, which
    matplotlib derives from coordinates, are numbered.
    """
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    drawn = COORDINATE.sub(lambda found: found["factor"] or f"{float(found.group()):.3f}", buffer.getvalue())
    numbers = {name: position for position, name in enumerate(dict.fromkeys(HASHED_ID.findall(drawn)))}
    return HASHED_ID.sub(lambda found: f"{found.group()[0]}{numbers[found.group()]}", drawn)


def new_canvas(width: float, height: float, columns: int, **options: Any) -> tuple[Canvas, list[Axes]]:
    """Return one row of axes on a figure that no global state knows of."""
    from matplotlib.figure import Figure as Matplotlib

    canvas = Matplotlib(figsize=(width, height), layout="constrained")
    axes = canvas.subplots(1, columns, squeeze=False, **options)
    return canvas, list(axes[0])


def new_grid(width: float, height: float, count: int, **options: Any) -> tuple[Canvas, list[list[Axes]]]:
    """Return the rows of at most `ACROSS` axes each, ``height`` inches high.

    One row of all would shrink to fit the page.
    """
    from matplotlib.figure import Figure as Matplotlib
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows = -(-count // ACROSS)
    across = -(-count // rows)
    canvas = Matplotlib(figsize=(width, height * rows), layout=ConstrainedLayoutEngine(h_pad=0.09))
    axes = canvas.subplots(rows, across, squeeze=False, **options)
    for surplus in axes.flat[count:]:
        surplus.set_axis_off()
    return canvas, [list(axes.flat[row * across : min((row + 1) * across, count)]) for row in range(rows)]


def series(position: int) -> dict[str, Any]:
    """Return the colour and marker of series number ``position``, as matplotlib takes them: no two of 49 look alike."""
    turn, place = divmod(position, len(COLOURS))
    return {"color": COLOURS[place], "fmt": MARKERS[(place + turn) % len(MARKERS)]}


def error_bars(low: float, estimate: float, high: float) -> list[list[float]]:
    """Return what matplotlib takes for one bar between two limits."""
    return [[max(estimate - low, 0.0)], [max(high - estimate, 0.0)]]


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows, the first at the top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)

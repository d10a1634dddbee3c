"""The plane of safety and utility: a point for each asker, and the scatter of noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgebias.report.canvas import COLOURS, MARKERS, WIDTH, new_grid
from edgebias.report.findings import ALPHA
from edgebias.report.table import value_of
from edgebias.suites.identities import GROUPS, NEUTRAL, SUITE_OF

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

Row = Mapping[Any, Any]
Points = Mapping[str, tuple[float, float]]
"""Utility and safety, by name."""

WITHIN = math.sqrt(-2.0 * math.log(ALPHA))
"""Radius that holds 95 % of a normal scatter in a plane, in standard deviations."""

NAMED = 6
"""Most points of a panel that are named: those furthest outside of the noise."""

_OFFSETS = tuple(
    (reach * math.cos(math.radians(turn)), reach * math.sin(math.radians(turn)))
    for reach in (9, 16, 26, 38, 52)
    for turn in range(0, 360, 30)
)
"""Where a name may stand beside its point, in points of the page, nearest first."""


class Panel:
    """One plane, from the rows of one build, placement and format.

    Attributes:
        title: above it.
        groups: the identities of each group.
        neutral: the askers of no group.
        none: nobody.
        floors: of utility and safety: what noise alone gives, in points.
    """

    def __init__(self, title: str, by_axis: Mapping[str, Row], scores: Sequence[Row]) -> None:
        found: dict[tuple[str, str], dict[str, Row]] = {}
        for row in scores:
            if row["against"] == "none" and row["name"] != NEUTRAL:
                found.setdefault((str(row["group"]), str(row["name"])), {})[str(row["axis"])] = row
        whole = {key: both for key, both in found.items() if len(both) == len(SUITE_OF)}
        self.title = title
        self.groups: dict[str, Points] = {group: _points(whole, group) for group in GROUPS}
        self.neutral: Points = _points(whole, NEUTRAL)
        self.none = next((_place(both, "reference") for both in whole.values()), None)
        self.floors = value_of(by_axis["utility"]["floor"]), value_of(by_axis["safety"]["floor"])

    @property
    def identities(self) -> Points:
        """The points of all identities."""
        return {name: place for points in self.groups.values() for name, place in points.items()}

    @property
    def centre(self) -> tuple[float, float]:
        """The mean of the identities."""
        places = list(self.identities.values())
        return sum(x for x, _ in places) / len(places), sum(y for _, y in places) / len(places)

    def outside(self) -> list[str]:
        """Return the identities outside of the noise, the furthest first."""
        radii = [WITHIN * floor for floor in self.floors]
        far = {
            name: math.hypot(
                *(
                    (at - middle) / radius
                    for at, middle, radius in zip(place, self.centre, radii, strict=True)
                    if radius
                )
            )
            for name, place in self.identities.items()
        }
        return sorted((name for name in far if far[name] > 1), key=lambda name: -far[name])


def _points(whole: Mapping[tuple[str, str], Mapping[str, Row]], group: str) -> Points:
    return {name: _place(both, "estimate") for (of, name), both in whole.items() if of == group}


def _place(both: Mapping[str, Row], column: str) -> tuple[float, float]:
    return value_of(both["utility"][column]), value_of(both["safety"][column])


def draw_planes(panels: Sequence[Panel]) -> Canvas | None:
    """Draw the panels that have identities; None where there is none."""
    panels = [panel for panel in panels if panel.identities]
    if not panels:
        return None
    canvas, rows = new_grid(WIDTH if len(panels) > 1 else 0.6 * WIDTH, 4.6 if len(panels) < 3 else 3.4, len(panels))
    drawn = [axes for row in rows for axes in row]
    for axes, panel in zip(drawn, panels, strict=True):
        _draw(axes, panel)
    handles, labels = drawn[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=5)
    canvas.draw_without_rendering()  # names are placed where there is room, which the layout decides
    for axes, panel in zip(drawn, panels, strict=True):
        _name(axes, panel)
    return canvas


def _draw(axes: Axes, panel: Panel) -> None:
    from matplotlib.patches import Ellipse

    width, height = (2 * WITHIN * floor for floor in panel.floors)
    axes.add_patch(
        Ellipse(panel.centre, width, height, fill=False, edgecolor="#777777", linewidth=1.2, label="noise alone (95 %)")
    )
    for position, (group, points) in enumerate(panel.groups.items()):
        _mark(axes, points, group, MARKERS[position], color=COLOURS[position], markersize=5)
    if panel.neutral:
        _mark(axes, panel.neutral, "named, of no group", "o", color="#222222", markerfacecolor="none", markersize=7)
    if panel.none:
        _mark(axes, {"none": panel.none}, "none", "*", color="#222222", markersize=11)
    axes.set_title(panel.title)
    axes.set_xlabel("utility (%)")
    axes.set_ylabel("safety (%)")
    axes.margins(0.12)
    axes.autoscale_view()
    axes.grid()
    axes.set_axisbelow(True)


def _mark(axes: Axes, points: Points, label: str, marker: str, **style: Any) -> None:
    x, y = ([place[axis] for place in points.values()] for axis in (0, 1))
    axes.plot(x, y, linestyle="", marker=marker, label=label, **style)


def _name(axes: Axes, panel: Panel) -> None:
    """Name the furthest points, those at one place together, so that no name covers a point or another name."""
    named: dict[tuple[float, float], list[str]] = {}
    for name in panel.outside()[:NAMED]:
        named.setdefault(panel.identities[name], []).append(name.replace("_", " "))
    taken = [_around(axes, place) for place in (*panel.identities.values(), *panel.neutral.values(), *_one(panel.none))]
    for place, names in named.items():
        taken.append(_fitted(axes, place, ", ".join(names), taken))


def _one(place: tuple[float, float] | None) -> list[tuple[float, float]]:
    return [place] if place else []


def _fitted(axes: Axes, place: tuple[float, float], text: str, taken: Sequence[Bbox]) -> Bbox:
    """Write ``text`` at the nearest place that is free, and return what it covers."""
    tried: list[tuple[int, Annotation]] = []
    for x, y in _OFFSETS:
        note = axes.annotate(
            text,
            place,
            xytext=(x, y),
            textcoords="offset points",
            fontsize=7,
            ha="left" if x > 1 else "right" if x < -1 else "center",
            va="center",
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": "#777777", "shrinkB": 2},
        )
        covered = _covered(note)
        inside = axes.bbox.contains(covered.x0, covered.y0) and axes.bbox.contains(covered.x1, covered.y1)
        tried.append((sum(covered.overlaps(other) for other in taken) + (0 if inside else 3), note))
        if tried[-1][0] == 0:
            break
    _, best = min(tried, key=lambda one: one[0])
    for _, note in tried:
        if note is not best:
            note.remove()
    return _covered(best)


def _covered(note: Annotation) -> Bbox:
    """Return what a name covers without its line, in pixels of the page."""
    from matplotlib.text import Text

    note.get_window_extent()  # moves the text to its point
    return Text.get_window_extent(note)


def _around(axes: Axes, place: tuple[float, float]) -> Bbox:
    """Return what a point covers, in pixels of the page."""
    from matplotlib.transforms import Bbox

    x, y = axes.transData.transform(place)
    size = 4 * axes.figure.dpi / 72
    return Bbox.from_extents(x - size, y - size, x + size, y + size)

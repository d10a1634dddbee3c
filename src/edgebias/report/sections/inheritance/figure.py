"""The picture of bias inheritance: bias against the share of self-written texts, by task and mitigation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgebias.report.canvas import COLOURS, MARKERS, WIDTH, new_grid
from edgebias.report.sections.inheritance.rows import (
    BY_RUN,
    FALLS,
    FLAT,
    LEAD,
    LEADS,
    RISES,
    SCORES,
    TRENDS,
    UNKNOWN,
    Found,
    Row,
    called,
    is_reference,
    of_bias,
    task_of,
    unit,
    verdict,
)
from edgebias.report.table import title_of, value_of
from edgebias.score.inheritance.builds import MITIGATIONS, UNMITIGATED
from edgebias.score.inheritance.table import UNTRAINED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

NUDGE = 1.3
"""By how much mitigations at one share stand apart, in per cent points."""

BEFORE = -12.0
"""Where the untrained model stands, left of the shares."""

TOLD = {
    RISES: "Rises with self-written texts",
    FALLS: "Falls with self-written texts",
    BY_RUN: "Builds differ, but not by share",
    FLAT: "No trend beyond chance",
    UNKNOWN: "Too few shares for a trend",
}


def draw(found: Found) -> Canvas | None:
    """Draw a panel for each task and model; None where there is nothing to draw."""
    tasks: dict[tuple[str, ...], list[Row]] = {}
    for row in of_bias(found.get(SCORES, ())):
        if math.isfinite(value_of(row["estimate"])):
            tasks.setdefault(task_of(row), []).append(row)
    if not tasks:
        return None
    several = len({task[1] for task in tasks}) > 1
    canvas, rows = new_grid(WIDTH, 3.6, len(tasks))
    panels = [axes for row in rows for axes in row]
    trends = {
        task_of(row): verdict(row)
        for row in reversed(of_bias(found.get(TRENDS, ())))
        if row["mitigation"] == UNMITIGATED
    }
    for axes, (task, builds) in zip(panels, tasks.items(), strict=True):
        _panel(axes, task, builds, trends.get(task, UNKNOWN), several)
    handles = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    canvas.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return canvas


def _panel(axes: Axes, task: tuple[str, ...], builds: Sequence[Row], trend: str, several: bool) -> None:
    first = builds[0]
    ideal = value_of(first["ideal"])
    axes.axhline(ideal, color="#222222", linewidth=0.9, linestyle="--")
    reference = next((row for row in builds if is_reference(row)), None)
    for place, mitigation in enumerate(MITIGATIONS):
        mine = [row for row in builds if row["mitigation"] == mitigation and value_of(row["ratio"]) > 0]
        for bias in sorted({str(row["bias"]) for row in mine}):
            of_bias_type = [row for row in mine if row["bias"] == bias]
            _line(axes, reference, of_bias_type, place)
    _again(axes, [row for row in builds if value_of(row["ratio"]) == 0 and not is_reference(row)])
    for row in builds:
        if row["mitigation"] == UNTRAINED:
            _point(axes, BEFORE, row, marker="D", color="#777777", label=called(UNTRAINED))
    question = LEADS.get(task[2], f"{title_of(task[2])}: {str(first['measure']).replace('_', ' ')}")
    axes.set_title(f"{question}\n{TOLD[trend]}" + (f"\n{task[1]}" if several else ""))
    axes.set_xlabel("self-written texts in training (%)")
    axes.set_ylabel(f"{LEAD if task[2] in LEADS else 'score'} ({unit(first)})")
    ratios = sorted({100 * value_of(row["ratio"]) for row in builds if math.isfinite(value_of(row["ratio"]))})
    before = [BEFORE] if any(row["mitigation"] == UNTRAINED for row in builds) else []
    axes.set_xticks([*before, *ratios], [*("before" for _ in before), *(f"{ratio:g}" for ratio in ratios)])
    low, high = axes.get_ylim()
    room = 0.08 * (high - low)
    axes.set_ylim(min(low, ideal - room), max(high, ideal + room))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    if task[2] in LEADS:
        _name_sides(axes)


def _name_sides(axes: Axes) -> None:
    """Say who is ahead above and below 0, as far as the panel goes."""
    low, high = axes.get_ylim()
    style: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 7.5, "color": "#555555"}
    if high > 0:
        axes.text(0.02, 0.98, "men ahead", ha="left", va="top", **style)
    if low < 0:
        axes.text(0.98, 0.02, "women ahead", ha="right", va="bottom", **style)


def _line(axes: Axes, reference: Row | None, mine: Sequence[Row], place: int) -> None:
    """Draw a mitigation from the build of ratio 0 on; of the same ratio several seeds are points of one line."""
    rows = sorted([*([reference] if reference else []), *mine], key=lambda row: value_of(row["ratio"]))
    means: dict[float, list[float]] = {}
    for row in rows:
        nudge = NUDGE * place if value_of(row["ratio"]) > 0 else 0.0
        means.setdefault(100 * value_of(row["ratio"]) + nudge, []).append(value_of(row["estimate"]))
    colour, alone = COLOURS[place], place > 0
    line = [sum(values) / len(values) for values in means.values()]
    axes.plot(list(means), line, color=colour, linewidth=1.1 if alone else 2.0, linestyle=":" if alone else "-")
    for row in mine if alone else rows:
        _point(
            axes,
            100 * value_of(row["ratio"]) + NUDGE * place,
            row,
            marker=MARKERS[place],
            color=colour,
            label=called(MITIGATIONS[place]),
        )


def _again(axes: Axes, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        _point(
            axes,
            -2.0 * (place + 1),
            row,
            marker="o",
            color="#999999",
            label="no self-written texts, another draw: chance alone",
        )


def _point(axes: Axes, x: float, row: Row, *, marker: str, color: str, label: str) -> None:
    value, low, high = (value_of(row[name]) for name in ("estimate", "low", "high"))
    bars = [[max(value - low, 0.0)], [max(high - value, 0.0)]] if math.isfinite(low) else None
    axes.errorbar(x, value, yerr=bars, fmt=marker, color=color, markersize=5, elinewidth=1.1, label=label)

"""The figure of layer probes: a panel for each probed cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebias.core.cell import Cell
from edgebias.report.canvas import COLOURS, MARKERS, error_bars, new_canvas
from edgebias.report.data import CELL, StudyData
from edgebias.report.findings import ALPHA

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

BLOCKS, WORDS = COLOURS[0], COLOURS[1]
CHANCE = "#999999"
BEFORE = {"words": -2.0, "last_token": -3.5, "length": -5.0}
"""Where the controls stand, left of block 0."""


def draw(study: StudyData) -> Canvas | None:
    """Draw accuracy by block with its interval, what chance can do, and the controls."""
    table = study.layer_probes
    if table.empty:
        return None
    cells = [(Cell(*map(str, key)), rows) for key, rows in table.groupby(CELL, sort=False)]
    canvas, panels = new_canvas(1.2 + 4.4 * len(cells), 3.6, len(cells), sharey=True)
    for axes, (cell, rows) in zip(panels, cells, strict=True):
        _panel(axes, rows)
        axes.set_title(study.label(cell))
    panels[0].set_ylabel("pairs ranked right (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return canvas


def _panel(axes: Axes, table: pd.DataFrame) -> None:
    rows = {target: part.sort_values("layer") for target, part in table.groupby("target")}
    swapped, bias = rows["flipped_labels"], rows["bias"]
    axes.fill_between(swapped["layer"], swapped["low"], swapped["high"], color=CHANCE, alpha=0.3, linewidth=0)
    axes.plot(swapped["layer"], swapped["accuracy"], color=CHANCE, linewidth=1, label="labels swapped at random")
    axes.axhline(50, color="#222222", linestyle="--", linewidth=1)
    axes.fill_between(bias["layer"], bias["low"], bias["high"], color=BLOCKS, alpha=0.2, linewidth=0)
    axes.plot(bias["layer"], bias["accuracy"], color=BLOCKS, linewidth=1.2, label="block output")
    beyond = bias["p_corrected"] < ALPHA
    for chosen, filling in ((beyond, BLOCKS), (~beyond, "white")):
        some = bias[chosen]
        axes.plot(some["layer"], some["accuracy"], "o", color=BLOCKS, markerfacecolor=filling, markersize=4)
    for position, (name, place) in enumerate(BEFORE.items(), start=1):
        (row,) = rows[name].to_dict("records")
        axes.errorbar(
            place,
            row["accuracy"],
            yerr=error_bars(row["low"], row["accuracy"], row["high"]),
            fmt=MARKERS[position],
            color=COLOURS[position],
            markersize=4.5,
            elinewidth=1.2,
            label=name.replace("_", " "),
        )
    (words,) = rows["words"]["accuracy"]
    axes.axhline(words, color=WORDS, linestyle=":", linewidth=1)
    axes.set_xlabel("block (left of the line: before any)")
    axes.set_xticks([layer for layer in bias["layer"] if layer % 5 == 0])
    axes.axvline(-1, color="#bbbbbb", linewidth=0.8)
    axes.grid(axis="y")
    axes.set_axisbelow(True)

"""The figure of damaged pre-training: what is lost with each damage, before transfer and after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgebias.report.canvas import COLOURS, MARKERS, WIDTH, error_bars
from edgebias.report.sections.damage.rows import EFFECTS, FOUR, Found, Row, is_sure, level_of
from edgebias.report.table import value_of
from edgebias.train.damage.images import DOMAINS
from edgebias.train.damage.run_table import CORRUPTED, FOREIGN, LABEL_NOISE, LINEAR, LONG_TAIL, OWN, UNTRAINED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

HEADS = {
    CORRUPTED: "Corrupted pixels",
    LONG_TAIL: "Long tail of digits",
    LABEL_NOISE: "Wrong labels",
    FOREIGN: "Another domain",
}
BELOW = {
    CORRUPTED: "pixels replaced by noise",
    LONG_TAIL: "most frequent : rarest digit",
    LABEL_NOISE: "images with a wrong label",
    FOREIGN: "images that are negatives",
}
READ = {OWN: "Before transfer:\nthe damaged network itself", LINEAR: "After transfer:\nfrozen, fitted to clean images"}
LINES = ("tested on images of the same kind (in-domain)", "tested on images of another kind (out-of-domain)")


def draw(found: Found) -> Canvas | None:
    """Draw the change of accuracy by damage and level, with both domains in each panel; None of nothing."""
    rows = [row for row in found.get(EFFECTS, ()) if row["measure"] == "accuracy" and row["domain"] in DOMAINS]
    shown = [damage for damage in FOUR if any(row["damage"] == damage for row in rows)]
    if not shown:
        return None
    from matplotlib.figure import Figure as Matplotlib

    canvas = Matplotlib(figsize=(WIDTH, 5.6), layout="constrained")
    grid = canvas.subplots(len(READ), len(shown), squeeze=False, sharey="row", sharex="col")
    for across, (adaptation, read) in zip(grid, READ.items(), strict=True):
        mine = [row for row in rows if row["adaptation"] == adaptation]
        for axes, damage in zip(across, shown, strict=True):
            _panel(axes, [row for row in mine if row["damage"] == damage], _floors(mine))
        across[0].set_ylabel(f"{read}\n\nchange of accuracy (points)")
    for axes, damage in zip(grid[0], shown, strict=True):
        axes.set_title(HEADS[damage])
    for axes, damage in zip(grid[-1], shown, strict=True):
        axes.set_xlabel(BELOW[damage])
    handles = {label: handle for handle, label in zip(*grid[-1][0].get_legend_handles_labels(), strict=True)}
    order = sorted(handles, key=lambda label: label not in LINES)
    canvas.legend([handles[label] for label in order], order, loc="outside lower center", ncols=2)
    return canvas


def _floors(rows: Sequence[Row]) -> list[float]:
    """Return what a network that was never trained loses, by domain."""
    return [
        next(
            (value_of(row["change"]) for row in rows if (row["damage"], row["domain"]) == (UNTRAINED, domain)), math.nan
        )
        for domain in DOMAINS
    ]


def _panel(axes: Axes, rows: Sequence[Row], floors: Sequence[float]) -> None:
    levels = sorted({value_of(row["level"]) for row in rows})
    names = {value_of(row["level"]): level_of(row) for row in rows}
    axes.axhline(0, color="#222222", linewidth=0.8)
    for position, domain in enumerate(DOMAINS):
        by_level = {value_of(row["level"]): row for row in rows if row["domain"] == domain}
        places = [levels.index(level) + 1 for level in by_level]
        values = [value_of(row["change"]) for row in by_level.values()]
        colour, aside = COLOURS[position], (position - 0.5) * 0.12
        axes.plot([0, *(place + aside for place in places)], [0.0, *values], color=colour, linewidth=1.4)
        for place, row in zip(places, by_level.values(), strict=True):
            value, low, high = (value_of(row[name]) for name in ("change", "low", "high"))
            axes.errorbar(
                place + aside,
                value,
                yerr=error_bars(low, value, high) if math.isfinite(low) else None,
                fmt=MARKERS[position],
                color=colour,
                markerfacecolor=colour if is_sure(row, -1) or is_sure(row, 1) else "white",
                markersize=5,
                elinewidth=1.2,
                label=LINES[position],
            )
        if math.isfinite(floors[position]):
            label = f"{('same', 'another')[position]} kind, a network that was never trained"
            axes.axhline(floors[position], color=colour, linestyle=":", linewidth=1.2, label=label)
    axes.set_xticks(range(len(levels) + 1), ["none", *(names[level] for level in levels)])
    axes.set_xlim(-0.3, len(levels) + 0.4)
    axes.grid(axis="y")
    axes.set_axisbelow(True)

"""Dose and response: the share of newly worse answers by bits per weight, drawn and as odds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import pandas as pd

from edgebias.report.canvas import COLOURS, MARKERS, WIDTH, error_bars, new_grid
from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.numbers import estimate, number
from edgebias.report.table import Table, title_of, value_of
from edgebias.report.trust import builds_of, measured, name_of, panels_of, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


def dose_table(study: StudyData) -> Table:
    """Return how the odds of newly worse answers grow with fewer bits."""
    return Table(
        "Dose and response: factor on the odds of a newly worse answer for each bit less, over unpruned builds "
        "(logistic regression, interval over clusters); above 1, fewer bits are worse",
        ("Model", "Dimension", "Suite (format)", "Worse is", "Odds ratio [low, high]", "Builds", "Bits", "Remark"),
        tuple(
            (
                f"{row['environment']} {row['model']}",
                str(row["dimension"]),
                f"{title_of(str(row['suite']))} ({row['format']})",
                str(row["worse"]),
                estimate(value_of(row["odds_ratio"]), value_of(row["low"]), value_of(row["high"])),
                number(int(row["n_builds"])),
                f"{number(value_of(row['least_bits']), 2)} to {number(value_of(row['most_bits']), 2)}",
                "" if pd.isna(row["reason"]) else str(row["reason"]),
            )
            for _, row in study.trust["trust_doses"].iterrows()
        ),
        frozenset({5}),
        unbroken=frozenset({4}),
    )


def _doses(study: StudyData) -> Canvas | None:
    """Draw the share of newly worse answers by bits per weight, a panel for each dimension."""
    rows = rows_of(study)
    rows = rows[rows["newly_worse"].notna() & rows["bits_per_weight"].notna()]
    if rows.empty:
        return None
    suites = [one for one in measured(study) if one[1] in set(rows["suite"])]
    places = panels_of(builds_of(study))
    canvas, grid = new_grid(WIDTH, 2.5, len(suites), sharex=True)
    for axes, (dimension, suite) in zip(chain(*grid), suites, strict=False):
        for place, (environment, model) in enumerate(places):
            mine = rows[(rows["suite"] == suite) & (rows["environment"] == environment) & (rows["model"] == model)]
            for pruned in (False, True):
                those = mine[(mine["pruned"] > 0.0) == pruned]
                for offset, (_, row) in enumerate(those.sort_values("variant").iterrows()):
                    _point(axes, row, place, pruned, 1.0 + 0.03 * ((offset % 3) - 1))
        worse = str(rows[rows["suite"] == suite]["worse"].iloc[0])
        axes.set_title(name_of(dimension, suite, suites))
        axes.set_ylabel(f"newly {worse}, %")
        axes.set_ylim(bottom=0)
        axes.set_xscale("log", base=2)
        axes.set_xticks([2, 3, 4, 6, 8, 16], ["2", "3", "4", "6", "8", "16"])
        axes.minorticks_off()
        axes.grid()
        axes.set_axisbelow(True)
    for axes in grid[-1]:
        axes.set_xlabel("bits per weight")
    _legend(canvas, places if len(places) > 1 else [])
    return canvas


def _point(axes: Axes, row: pd.Series, place: int, pruned: bool, factor: float) -> None:
    value, low, high = (value_of(row[name]) for name in ("newly_worse", "newly_worse_low", "newly_worse_high"))
    colour = COLOURS[place % len(COLOURS)]
    bars = error_bars(low, value, high) if math.isfinite(low) else None
    axes.errorbar(
        value_of(row["bits_per_weight"]) * factor,
        value,
        yerr=bars,
        fmt=MARKERS[1] if pruned else MARKERS[0],
        color=colour,
        markerfacecolor="white" if pruned else colour,
        markersize=5,
        linewidth=1.1,
    )


def _legend(canvas: Canvas, places: Sequence[tuple[str, str]]) -> None:
    from matplotlib.lines import Line2D

    grey = "#444444"
    handles = [
        Line2D([], [], marker=MARKERS[0], color=grey, linestyle="", label="all weights"),
        Line2D([], [], marker=MARKERS[1], color=grey, markerfacecolor="white", linestyle="", label="pruned"),
    ]
    handles += [
        Line2D([], [], color=COLOURS[place % len(COLOURS)], linewidth=3, label=" ".join(panel))
        for place, panel in enumerate(places)
    ]
    canvas.legend(handles=handles, loc="outside lower center", ncols=len(handles))


DOSES = Drawing(
    "trust-doses",
    "Dose and response",
    "Share of the full build's fine answers (right, free of the stereotype, nothing leaked) that are worse in a "
    "build, by its bits per weight. Bars: intervals over clusters. Points of one size are moved apart a little.",
    "Newly worse answers by bits per weight and dimension; the same numbers are in the table below.",
    _doses,
)

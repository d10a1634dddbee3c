"""Section: what each method of mitigation does on held-out items."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd

from edgebias.mitigate.reductions import overview
from edgebias.mitigate.registry import frontier_gains
from edgebias.report.canvas import COLOURS, MARKERS, WIDTH, error_bars, new_canvas, new_grid, series
from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.numbers import ABSENT, number, p_number, percent, signed
from edgebias.report.primary import primary_metric
from edgebias.report.section import Section
from edgebias.report.sections.frontier import draw as draw_frontier
from edgebias.report.sections.frontier import grouped
from edgebias.report.sections.layer_probes import draw as draw_layer_probes
from edgebias.report.sections.mitigation_cost import mitigation_cost_overview, mitigation_cost_table
from edgebias.report.sections.transfer import transfer_table
from edgebias.report.table import Table, count_of, estimate_of, family_of, limits_of, title_of, value_of
from edgebias.suites.registry import mitigated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


def method_table(study: StudyData) -> Table:
    """Return a row for each method: bias, what it must not spoil, and coverage, on the same held-out items.

    What a method costs is in a table of its own: with both, the table is wider than the page.
    """
    rows = study.mitigation
    rows = rows[rows["category"] == "all"]
    scores = {tuple(row[["method", "suite", "format", "metric"]]): row for _, row in rows.iterrows()}
    columns = [column for column in overview() if any(key[1:] == column for key in scores)]
    listed = []
    for method in study.methods:
        found = [scores.get((method, *column)) for column in columns]
        covered = [value_of(row["coverage"]) for row in found if row is not None]
        estimates = (ABSENT if row is None else estimate_of(row) for row in found)
        listed.append((title_of(method), *estimates, percent(min(covered)) if covered else ABSENT))
    ideals = {key[1:]: value_of(row["ideal"]) for key, row in scores.items()}
    titles = [
        f"{title_of(suite)} {metric.replace('_', ' ')}"
        + (f" (ideal {number(ideals[suite, form, metric])})" if math.isfinite(ideals[suite, form, metric]) else "")
        for suite, form, metric in columns
    ]
    heads = ("Method", *titles, "Coverage (smallest)")
    caption = (
        f"Methods of mitigation on the same held-out items, likelihood format, on {study.label(study.builds['edge'])}. "
        "Always unknown and always refuse are controls: no model is asked"
    )
    return Table(caption, heads, tuple(listed), frozenset({len(heads) - 1}))


def mitigation_table(study: StudyData) -> Table:
    """Return held-out scores: a row for each metric, a column for each method."""
    rows = study.mitigation
    rows = rows[rows["category"] == "all"]
    listed = []
    for (suite, form, metric), part in rows.groupby(["suite", "format", "metric"], sort=True):
        by_method = {str(row["method"]): row for _, row in part.iterrows()}
        estimates = (estimate_of(by_method[name]) if name in by_method else ABSENT for name in study.methods)
        first = part.iloc[0]
        listed.append(
            (
                title_of(str(suite)),
                f"{metric} ({form})",
                *estimates,
                number(value_of(first["ideal"])),
                number(count_of(part["n"].max())),
                percent(value_of(part["coverage"].min())),
            )
        )
    methods = tuple(title_of(name) for name in study.methods)
    heads = ("Suite", "Metric (format)", *methods, "Ideal", "n", "Coverage (smallest)")
    caption = f"Held-out scores of each method, estimate [low, high], on {study.label(study.builds['edge'])}"
    return Table(caption, heads, tuple(listed), frozenset(range(len(heads) - 3, len(heads))))


def reduction_table(study: StudyData) -> Table | None:
    """Return how far each method brings each suite and category to its ideal, and whether there was bias to reduce."""
    table = study.mitigation
    if "headroom" not in table.columns:
        return None
    rows = table[(table["metric"] == "reduction") & (table["n"] > 0)]
    keys = ["method", "suite", "format", "category"]
    shares = {tuple(row[keys]): row for _, row in table[table["metric"] == "relative_reduction"].iterrows()}
    listed = []
    for _, row in rows.iterrows():
        method, suite, form, category = (str(row[name]) for name in keys)
        share = shares[(method, suite, form, category)]
        text = (
            title_of(method),
            title_of(suite),
            category,
            form,
            f"{signed(value_of(row['estimate']))} {limits_of(row)}",
            estimate_of(share),
            p_number(value_of(row["p_corrected"])),
            number(value_of(row["minimum_detectable_effect"])),
            family_of(row),
            str(row["headroom"]),
        )
        listed.append(((study.methods.index(method), suite, category != "all", category, form), text))
    heads = (
        "Method",
        "Suite",
        "Category",
        "Format",
        "Distance from the ideal removed (points) [low, high]",
        "Relative (%) [low, high]",
        "Corrected p",
        "Smallest detectable (points)",
        "Family (comparisons)",
        "Headroom",
    )
    caption = (
        "Bias removed by each method against none, on the same held-out items. A row without headroom is no evidence "
        "of mitigation: its bias before is within its own noise"
    )
    return Table(
        caption, heads, tuple(text for _, text in sorted(listed)), frozenset({6, 7}), unbroken=frozenset({4, 5})
    )


def _trajectory(study: StudyData) -> Canvas | None:
    """Draw bias and gain of each loop, one panel a column and one line a loop."""
    from matplotlib.ticker import MaxNLocator

    table = study.trajectory
    columns = [column for column in TRAJECTORY_COLUMNS if column in table.columns]
    if not columns:
        return None
    canvas, grid = new_grid(WIDTH, 2.5, len(columns))
    loops = {str(loop): rows.sort_values("round") for loop, rows in table.groupby("loop", sort=False)}
    for axes, column in zip(chain(*grid), columns, strict=True):
        for position, (loop, rows) in enumerate(loops.items()):
            axes.plot(
                rows["round"],
                rows[column],
                label=loop.replace("_", " "),
                color=COLOURS[position],
                marker=MARKERS[position],
                markersize=3.5,
                linewidth=1.2,
            )
        ideal = TRAJECTORY_COLUMNS[column]
        if ideal is not None:
            axes.axhline(ideal, color="#222222", linestyle="--", linewidth=1)
        axes.set_title(column.replace("_", " "))
        axes.set_xlabel("round of the loop")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
    canvas.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=len(loops))
    return canvas


TRAJECTORY_COLUMNS: dict[str, float | None] = {
    "bias": 50.0,
    "error": 0.0,
    "gain": None,
    "perplexity": None,
    "answers_perplexity": None,
}
"""Columns of the trajectory that are drawn, with the value that the controller steers to."""


def _mitigation(study: StudyData) -> Canvas | None:
    """Draw bias against utility, one point a method."""
    table = study.mitigation
    table = table[table["category"] == "all"]
    suites = [suite.name for suite in mitigated() if suite.drives_loop] + list(study.suites)
    bias = next((pick for suite in suites if (pick := primary_metric(suite, table)) is not None), None)
    utility = [metric for metric in UTILITY_METRICS if metric in set(table["metric"])]
    if bias is None or not utility:
        return None
    bias_rows = _finite(table[(table["metric"] == bias[1]) & (table["format"] == bias[0])])
    ideal = float(table.loc[(table["metric"] == bias[1]) & (table["format"] == bias[0]), "ideal"].iloc[0])
    rows_of = {metric: _finite(_first_format(table[table["metric"] == metric])) for metric in utility}
    # A control may have no bias score: it has no point, so the legend does not name it.
    pointed = [
        name
        for name in study.methods
        if name in bias_rows.index and any(name in rows.index for rows in rows_of.values())
    ]
    canvas, panels = new_canvas(WIDTH, 3.9, len(utility), sharex=True)
    for axes, metric in zip(panels, utility, strict=True):
        rows = rows_of[metric]
        for position, (label, methods) in enumerate(grouped(pointed, frontier_gains(study.chosen_methods))):
            points = [
                (bias_rows.loc[[name]].iloc[0], rows.loc[[name]].iloc[0]) for name in methods if name in rows.index
            ]
            if len(points) > 1:  # the gains of the open loop
                path = [(x["estimate"], y["estimate"]) for x, y in points]
                axes.plot(*zip(*path, strict=True), color=COLOURS[position], linewidth=1.2, zorder=2.5)
            for step, (x, y) in enumerate(points):
                _cross(axes, x, y, position, "" if step else label)
        if math.isfinite(ideal):
            axes.axvline(ideal, color="#222222", linestyle="--", linewidth=1)
        axes.set_xlabel(bias[1].replace("_", " "))
        axes.set_ylabel(metric.replace("_", " "))
        axes.grid()
        axes.set_axisbelow(True)
    named = {name: point for axes in panels for point, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    canvas.legend(list(named.values()), list(named), loc="outside lower center", ncols=3)
    return canvas


def _first_format(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the format that stands for a metric: likelihood where there is any."""
    form = "likelihood" if "likelihood" in set(rows["format"]) else min(rows["format"])
    return rows[rows["format"] == form]


def _finite(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the first row of each method that has an estimate, by method."""
    return rows[rows["estimate"].notna()].drop_duplicates("method").set_index("method")


def _cross(axes: Axes, x: pd.Series, y: pd.Series, position: int, label: str) -> None:
    """Draw a point with both its intervals, which are pale: the markers of a dozen methods lie close together."""
    from matplotlib.colors import to_rgba

    look = series(position)
    axes.errorbar(
        x["estimate"],
        y["estimate"],
        xerr=error_bars(x["low"], x["estimate"], x["high"]),
        yerr=error_bars(y["low"], y["estimate"], y["high"]),
        fmt="none",
        ecolor=to_rgba(look["color"], 0.35),
        elinewidth=1.1,
        zorder=2,
    )
    axes.plot(
        x["estimate"],
        y["estimate"],
        color=look["color"],
        marker=look["fmt"],
        markersize=7.5,
        markeredgecolor="white",
        markeredgewidth=0.7,
        linestyle="none",
        label=label or None,
        zorder=3,
    )


def _frontier(study: StudyData) -> Canvas | None:
    scores = {str(name): rows for name, rows in study.mitigation.groupby("method", sort=False)}
    return draw_frontier(scores, frontier_gains(study.chosen_methods))


UTILITY_METRICS = ("accuracy_ambiguous", "accuracy_disambiguated", "lms")
"""What a mitigation method must not spoil, in the order of the panels."""


def _content(study: StudyData) -> Mapping[str, Any]:
    return {
        "methods_overview": method_table(study),
        "mitigation": mitigation_table(study),
        "reductions": reduction_table(study),
        "transfer": transfer_table(study),
        "method_costs": mitigation_cost_overview(study),
        "mitigation_costs": mitigation_cost_table(study),
    }


DRAWINGS = (
    Drawing(
        "layer_probes",
        "Where a stereotype is legible",
        "Share of calibration pairs in which a linear probe on a block's output at the last token, trained on other "
        "target terms, ranks the anti-stereotype-consistent completion above the other one; band: interval over "
        "target terms. Filled markers: higher than the highest of all blocks in 95 % of random swaps of the labels. "
        "Grey: where 95 % of these swaps lie, which is what chance can do (dashed: 50 %). Orange, the same probe on "
        "the words of the completion alone, which have no order and no context: what a block has more than that, it "
        "has from reading. Left, likewise before any block: the last token alone, and the number of tokens.",
        "Line chart of the accuracy of layer probes by block with interval, beside chance and the words alone; the "
        "same numbers are in layer_probes.csv.",
        draw_layer_probes,
    ),
    Drawing(
        "trajectory",
        "The feedback loop at work",
        "State of the loop after each update, on calibration items only; dashed line: what the loop steers to. The "
        "gated loop steers, judges and guards the requests for which the gate opens. "
        "Bias: stereotype rate in the window; gain: the largest over the layers; perplexity: of neutral texts; answers "
        "perplexity: of what the uncompressed build answers to everyday requests.",
        "Line charts of the feedback loop's bias, error, gain and perplexities by round; the values are in "
        "trajectory.csv.",
        _trajectory,
    ),
    Drawing(
        "frontier",
        "How much bias is removed, and what that costs",
        "Per cent of the distance of StereoSet's ss from 50 that a method removes on held-out items, with interval, "
        "against what it costs: the rise of perplexity of what the uncompressed build answers to everyday requests, "
        "and of neutral text, which learning also held down, and the fall of lms. The line joins the gains of the "
        "learned directions without the loop; the loop chooses one on calibration items. Grey: over the budget of 2 % "
        "of perplexity or 1 point of lms. Dotted: the reduction that the seed paper reports, of a measure that it does "
        "not define. Points at the right edge cost more than the axis shows.",
        "Scatter plot of the share of bias removed against the rises of perplexity and the fall of lms, by method; the "
        "same numbers are in the mitigation table.",
        _frontier,
    ),
    Drawing(
        "mitigation",
        "Bias against utility",
        "One point a method, on held-out items; the line joins the gains of the open loop, from the smallest. A method "
        "is useful where it moves to the dashed line (ideal bias) while accuracy and lms do not fall. Bars: "
        "intervals.",
        "Scatter plot of bias against utility for each mitigation method; the same numbers are in the mitigation "
        "table.",
        _mitigation,
    ),
)
SECTION = Section("mitigation", "Mitigation", _content, DRAWINGS)

"""The figures of the page, as deterministic SVG: fixed hash salt, no date, text as paths."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd

from edgebias.core.cell import Cell
from edgebias.report.answer import ALPHA, KINDS, MITIGATED, cell_name, held_out
from edgebias.report.canvas import (
    COLOURS,
    MARKERS,
    STYLE,
    error_bars,
    name_rows,
    new_canvas,
    new_grid,
    series,
    svg_text,
)
from edgebias.report.format_robustness import draw as _robustness
from edgebias.report.frontier import draw as draw_frontier
from edgebias.report.frontier import grouped
from edgebias.report.layer_probes import draw as _layer_probes
from edgebias.report.numbers import MINUS, p_value, percent
from edgebias.report.primary import PANELS, ideal_of, primary_contrasts, primary_metric
from edgebias.report.roofline import draw as _roofline
from edgebias.report.study import Study
from edgebias.report.tables import perplexity_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

WIDTH = 10.4
"""Inches of a figure as wide as the page."""


@dataclass(frozen=True)
class Figure:
    """A drawn figure with the words that a reader needs."""

    name: str
    title: str
    caption: str
    alt: str
    svg: str


@dataclass(frozen=True)
class _Plan:
    name: str
    title: str
    caption: str
    alt: str
    draw: Callable[[Study], Canvas | None]


def draw_all(study: Study) -> list[Figure]:
    """Every figure whose data the study has, in the order of the page."""
    import matplotlib

    matplotlib.use("svg", force=True)
    from matplotlib import rc_context

    figures = []
    for plan in PLANS:
        with rc_context(STYLE):
            canvas = plan.draw(study)
            if canvas is not None:
                figures.append(Figure(plan.name, plan.title, plan.caption, plan.alt, svg_text(canvas)))
    return figures


def _scores(study: Study) -> Canvas | None:
    """Primary metric of each suite by cell, with interval and ideal value."""
    present = set(zip(study.scores["suite"], study.scores["metric"], strict=True))
    drawn = [panel for panel in PANELS if panel in present]
    for suite in study.suites:
        if (chosen := primary_metric(suite, study.scores)) and suite not in {name for name, _ in drawn}:
            drawn.append((suite, chosen[1]))
    if not drawn:
        return None
    environments = list(dict.fromkeys(cell.environment for cell in study.cells))
    canvas, grid = new_grid(WIDTH, 1.0 + 0.28 * len(study.cells), len(drawn), sharey=True)
    for axes, (suite, metric) in zip(chain(*grid), drawn, strict=True):
        rows = study.scores[
            (study.scores["suite"] == suite) & (study.scores["metric"] == metric) & (study.scores["category"] == "all")
        ]
        formats = sorted(rows["format"].unique(), key=lambda name: name != "likelihood")
        ideal = ideal_of(study.scores, suite, metric)
        if math.isfinite(ideal):
            axes.axvline(ideal, color="#222222", linestyle="--", linewidth=1)
        for position, cell in enumerate(study.cells):
            here = _of_cell(rows, cell)
            for step, form in enumerate(formats):
                for _, row in here[here["format"] == form].iterrows():
                    if not math.isfinite(row["estimate"]):
                        continue
                    offset = (step - (len(formats) - 1) / 2) * 0.34
                    if _too_few(row):
                        axes.plot(row["estimate"], position + offset, **TOO_FEW)
                        continue
                    colour = COLOURS[environments.index(cell.environment) % len(COLOURS)]
                    axes.errorbar(
                        row["estimate"],
                        position + offset,
                        xerr=error_bars(row["low"], row["estimate"], row["high"]),
                        fmt="o" if form == "likelihood" else "s",
                        markerfacecolor=colour if form == "likelihood" else "white",
                        color=colour,
                        markersize=4.5,
                        elinewidth=1.2,
                    )
        axes.set_title(suite.replace("_", " "))
        axes.set_xlabel(_wrapped(metric))
        axes.grid(axis="x")
        axes.set_axisbelow(True)
    for panels in grid:
        name_rows(panels[0], [study.label(cell) for cell in study.cells])
    return canvas


TOO_FEW: Any = {"marker": "x", "color": "#999999", "markersize": 5, "linestyle": "none"}
"""How a value is drawn that has no interval: the one answer of 144 that names an option is no rate of 100 %."""


def _too_few(row: pd.Series) -> bool:
    """Whether too few answers could be used for an interval."""
    return not math.isfinite(row["low"])


def _contrasts(study: Study) -> Canvas | None:
    """Forest plot of paired differences."""
    rows = pd.concat([primary_contrasts(suite, study.contrasts, study.scores) for suite in study.suites])
    if rows.empty:
        return None
    pairs = sorted(
        {(str(row["kind"]), row["cell_a"], row["cell_b"]) for _, row in rows.iterrows()},
        key=lambda pair: (KINDS.index(pair[0]), pair[1], pair[2]),
    )
    suites = [suite for suite in study.suites if suite in set(rows["suite"])]
    canvas, grid = new_grid(WIDTH, 1.1 + 0.4 * len(pairs), len(suites), sharey=True)
    for axes, suite in zip(chain(*grid), suites, strict=True):
        axes.axvline(0, color="#222222", linewidth=1)
        for _, row in rows[rows["suite"] == suite].iterrows():
            kind = str(row["kind"])
            position = pairs.index((kind, row["cell_a"], row["cell_b"]))
            if _too_few(row):
                axes.plot(row["difference"], position, **TOO_FEW)
                continue
            significant = row["p_corrected"] < ALPHA
            colour = COLOURS[KINDS.index(kind)]
            axes.errorbar(
                row["difference"],
                position,
                xerr=error_bars(row["low"], row["difference"], row["high"]),
                fmt=("o", "D", "s")[KINDS.index(kind)],
                color=colour,
                markerfacecolor=colour if significant else "white",
                markersize=5,
                elinewidth=1.3,
            )
        metrics = sorted({str(name) for name in rows[rows["suite"] == suite]["metric"]})
        axes.set_title(suite.replace("_", " "))
        axes.set_xlabel("difference in\n" + "\nor ".join(_wrapped(name) for name in metrics))
        axes.margins(x=0.12)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        for _, row in rows[(rows["suite"] == suite) & rows["low"].notna()].iterrows():
            _write_p(axes, row, pairs.index((str(row["kind"]), row["cell_a"], row["cell_b"])))
    names = [f"{cell_name(a, study.several_models)}\n{MINUS} {cell_name(b, study.several_models)}" for _, a, b in pairs]
    for panels in grid:
        name_rows(panels[0], names)
    return canvas


def _write_p(axes: Axes, row: pd.Series, position: int) -> None:
    """The corrected p above its bar, within the panel, on a white ground that hides the line of no difference.

    Called when every bar is drawn: the place of a label depends on the limits of its panel.
    """
    left, right = axes.get_xlim()
    place = (row["difference"] - left) / (right - left)
    axes.annotate(
        p_value(float(row["p_corrected"])) + (" *" if row["format"] == "letter" else ""),
        (row["difference"], position),
        xytext=(0, 5),
        textcoords="offset points",
        ha="left" if place < 0.2 else "right" if place > 0.8 else "center",
        fontsize=7,
        color="#222222",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        zorder=4,
    )


def _over_time(study: Study) -> Canvas | None:
    """Windowed stereotype rate against round."""
    table = study.rounds
    if table.empty:
        return None
    modes = sorted(table["mode"].unique(), key=lambda mode: mode != "conversation")
    canvas, panels = new_canvas(8.6, 3.3, len(modes), sharey=True)
    cells = [cell for cell in study.cells if not _of_cell(table, cell).empty]
    for axes, mode in zip(panels, modes, strict=True):
        axes.axhline(50, color="#222222", linestyle="--", linewidth=1)
        for position, cell in enumerate(cells):
            rows = _of_cell(table[table["mode"] == mode], cell)
            if rows.empty:
                continue
            colour = COLOURS[position % len(COLOURS)]
            by_conversation = rows.pivot_table(index="round", columns="conversation", values="stereotype_rate")
            if by_conversation.shape[1] > 1:
                axes.plot(by_conversation.index, by_conversation, color=colour, linewidth=0.5, alpha=0.45)
            mean = by_conversation.mean(axis=1)
            axes.plot(
                mean.index,
                mean,
                color=colour,
                marker=MARKERS[position % len(MARKERS)],
                markevery=max(len(mean) // 8, 1),
                markersize=4,
                linewidth=1.2,
                label=f"{study.label(cell)}: {percent(_named(study, cell, mode))}",
            )
        axes.set_title(mode)
        axes.set_xlabel("round")
        axes.grid(axis="y")
        axes.set_ylim(-2, 102)
        axes.legend(title="answers that name a group", loc="upper center", bbox_to_anchor=(0.5, -0.2))
    panels[0].set_ylabel("stereotype rate (%), last 32 rounds")
    return canvas


def _named(study: Study, cell: Cell, mode: str) -> float:
    """Share of the answers of a mode of rounds that name a group: the others are in no stereotype rate."""
    rows = _of_cell(study.over_time, cell)
    return float(rows[(rows["metric"] == "stereotype_rate") & (rows["category"] == mode)]["coverage"].iloc[0])


def _trajectory(study: Study) -> Canvas | None:
    """Bias and gain of each loop, one panel a column and one line a loop."""
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


def _mitigation(study: Study) -> Canvas | None:
    """Bias against utility, one point a method."""
    table = held_out(study.mitigation)
    table = table[table["category"] == "all"]
    suites = [suite for suite, _ in MITIGATED] + list(study.suites)
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
        for position, (label, methods) in enumerate(grouped(pointed)):
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
    """The rows of the format that stands for a metric: likelihood where there is any."""
    form = "likelihood" if "likelihood" in set(rows["format"]) else min(rows["format"])
    return rows[rows["format"] == form]


def _finite(rows: pd.DataFrame) -> pd.DataFrame:
    """The first row of each method that has an estimate, by method."""
    return rows[rows["estimate"].notna()].drop_duplicates("method").set_index("method")


def _cross(axes: Axes, x: pd.Series, y: pd.Series, position: int, label: str) -> None:
    """A point with both its intervals, which are pale: the markers of a dozen methods lie close together."""
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


def _frontier(study: Study) -> Canvas | None:
    return draw_frontier({str(name): rows for name, rows in study.mitigation.groupby("method", sort=False)})


UTILITY_METRICS = ("accuracy_ambiguous", "accuracy_disambiguated", "lms")
"""What a mitigation method must not spoil, in the order of the panels."""


def _variants(study: Study) -> Canvas | None:
    """Bits per weight and perplexity of each build against bias."""
    edge = study.scores[study.scores["environment"] == study.builds["edge"].environment]
    answered = {name: edge.loc[edge["suite"] == name, "variant"].nunique() for name in ("forced_choice", *study.suites)}
    suite = max(answered, key=lambda name: answered[name])
    chosen = primary_metric(suite, study.scores)
    axes_of = [column for column in ("bits_per_weight", "perplexity") if any(column in v for v in study.variants)]
    if chosen is None or not axes_of:
        return None
    canvas, panels = new_canvas(3.6 * len(axes_of) + 0.8, 3.1, len(axes_of), sharey=True)
    environment = study.builds["edge"].environment
    rows = study.scores[
        (study.scores["suite"] == suite)
        & (study.scores["format"] == chosen[0])
        & (study.scores["metric"] == chosen[1])
        & (study.scores["category"] == "all")
    ]
    drawn = 0
    for position, record in enumerate(study.variants):
        found = _of_cell(rows, Cell(environment, str(record["model"]), str(record["variant"])))
        if found.empty or not math.isfinite(found.iloc[0]["estimate"]):
            continue
        drawn += 1
        row = found.iloc[0]
        for axes, column in zip(panels, axes_of, strict=True):
            value = perplexity_of(record) if column == "perplexity" else record.get(column)
            if not isinstance(value, int | float):
                continue
            axes.errorbar(
                value,
                row["estimate"],
                yerr=error_bars(row["low"], row["estimate"], row["high"]),
                label=str(record["variant"]),
                elinewidth=1.1,
                **series(position),
            )
    if not drawn:
        return None
    ideal = ideal_of(study.scores, suite, chosen[1])
    for axes, column in zip(panels, axes_of, strict=True):
        if math.isfinite(ideal):
            axes.axhline(ideal, color="#222222", linestyle="--", linewidth=1)
        axes.set_xlabel(column.replace("_", " "))
        axes.grid()
        axes.set_axisbelow(True)
    panels[0].set_ylabel(f"{chosen[1].replace('_', ' ')}\n({suite.replace('_', ' ')}, {environment})")
    handles, labels = panels[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=3)
    return canvas


def _wrapped(metric: str) -> str:
    """A metric's name on lines of about two words."""
    return textwrap.fill(metric.replace("_", " "), 16)


def _of_cell(table: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    return table[
        (table["environment"] == cell.environment) & (table["model"] == cell.model) & (table["variant"] == cell.variant)
    ]


PLANS = (
    _Plan(
        "scores",
        "Bias by environment and variant",
        "One panel a suite, one row a cell. Filled circles: log-likelihood of the options. Open squares: generated "
        "letters. Bars: interval from a bootstrap over clusters. Dashed line: the metric's ideal value; a point left "
        "of it is not better than a point right of it. Grey crosses: too few answers name an option for an interval; "
        "they say nothing of the others.",
        "Dot plot of each suite's bias metric by cell with intervals; the same numbers are in the score tables.",
        _scores,
    ),
    _Plan(
        "contrasts",
        "Paired differences",
        "Each row is one cell minus another on the same items. Circles: the same build in two environments. Diamonds:"
        " a "
        "compressed build minus the uncompressed one. Squares: the build that ships to the edge minus the others, "
        "environment "
        "and compression together. Filled: significant at 0.05 after the correction; open: not. p is the corrected "
        "one. An asterisk marks pairs compared by generated letters, because one of the two gives no log-"
        "probabilities. Grey crosses: too few common answers for an interval.",
        "Forest plot of paired differences with intervals; the same numbers are in the contrast table.",
        _contrasts,
    ),
    _Plan(
        "over_time",
        "Over time",
        "Share of stereotyped choices in the window of 32 rounds that ends at each round. Conversation: earlier "
        "exchanges stay in the "
        "prompt; thin lines are single conversations, thick ones their mean. Independent: unchanged prompts again and "
        "again, so any trend is noise by construction. Dashed line: 50 %. Of a cell whose answers hardly ever name a "
        "group, the line is one or two answers long remembered.",
        "Line chart of the windowed stereotype rate against the round, by cell; slopes are in the over-time table.",
        _over_time,
    ),
    _Plan(
        "robustness",
        "Where the variance of an answer comes from, and which place on the page wins",
        "Left: shares of the variance of one greedy answer (stereotype 1, anti-stereotype -1, unknown 0) over a "
        "crossed design of ambiguous items; filled: a source's own effect, open: with every interaction that it takes "
        "part in, which is why the open ones add up to more than 1. Right: how often each place is chosen when every "
        "option stands in every place equally often; dashed line: no position bias. Bars: intervals over items.",
        "Dot plots of variance shares by source and of choices by place; the same numbers are in the tables below.",
        _robustness,
    ),
    _Plan(
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
        _layer_probes,
    ),
    _Plan(
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
    _Plan(
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
    _Plan(
        "mitigation",
        "Bias against utility",
        "One point a method, on held-out items; the line joins the gains of the open loop, from the smallest. A method "
        "is useful where it moves to the dashed line (ideal bias) while accuracy and lms do not fall. Bars: "
        "intervals.",
        "Scatter plot of bias against utility for each mitigation method; the same numbers are in the mitigation "
        "table.",
        _mitigation,
    ),
    _Plan(
        "variants",
        "Size and quality of a build against its bias",
        "One point a build, in the edge environment. Bits per weight are those found in the file. Dashed line: ideal.",
        "Scatter plots of bits per weight and perplexity against bias; the same numbers are in the tables of builds.",
        _variants,
    ),
    _Plan(
        "roofline",
        "Projected roofline of a Raspberry Pi 4 and 5",
        "A projection from published figures, not a measurement. Bands: what memory (sloped) and arithmetic (flat) "
        "allow, from the lowest to the highest published figure; grey, dashed: 16-bit weights; blue: products of 8-bit "
        "numbers. Filled: one prompt is continued; open: a prompt of 128 tokens is read. Builds of one size share a "
        "marker: pruning sets weights to zero, but llama.cpp reads and multiplies zeros like any other weight.",
        "Roofline plots of two boards with each size of build; the same numbers are in the projection table.",
        _roofline,
    ),
)

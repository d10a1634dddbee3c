"""Section: environments and builds on the same items, and their paired differences."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd

from edgebias.core.cell import Cell
from edgebias.report.canvas import COLOURS, WIDTH, error_bars, name_rows, new_grid
from edgebias.report.data import StudyData, of_cell
from edgebias.report.figures import Drawing
from edgebias.report.findings import ALPHA, KINDS, cell_name, compared_pairs, pair_labels
from edgebias.report.numbers import number, p_number, p_value, signed
from edgebias.report.primary import ideal_of, primary_contrasts, primary_metric, score_panels
from edgebias.report.section import Section
from edgebias.report.table import Table, family_of, limits_of, title_of, value_of
from edgebias.suites.formats import FORMATS, LETTER, LETTER_BALANCED, LIKELIHOOD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


def contrast_table(study: StudyData) -> Table:
    """Return every contrast that was computed."""
    listed = []
    for _, row in study.contrasts.iterrows():
        listed.append(
            (
                cell_name(str(row["cell_a"]), study.several_models),
                cell_name(str(row["cell_b"]), study.several_models),
                title_of(str(row["suite"])),
                f"{row['metric']} ({row['format']})",
                f"{signed(value_of(row['difference']))} {limits_of(row)}",
                p_number(value_of(row["p_corrected"])),
                number(value_of(row["minimum_detectable_effect"])),
                family_of(row),
                str(row["kind"]),
            )
        )
    suites = [title_of(suite) for suite in study.suites]
    listed.sort(key=lambda r: (KINDS.index(r[8]), suites.index(r[2]) if r[2] in suites else 99, r[3], r[0], r[1]))
    return Table(
        "Paired differences, first cell minus second, on the same items; p corrected within the family named, with its "
        "number of comparisons",
        (
            "Cell",
            "minus",
            "Suite",
            "Metric (format)",
            "Difference [low, high]",
            "Corrected p",
            "Smallest detectable",
            "Family (comparisons)",
        ),
        tuple(r[:8] for r in listed),
        frozenset({5, 6}),
        unbroken=frozenset({4}),
    )


def panels_of(study: StudyData) -> list[tuple[str, str]]:
    """Return (suite, metric) of each panel of the score figure: one a suite at least, where it has a score."""
    present = set(zip(study.scores["suite"], study.scores["metric"], strict=True))
    panels = [panel for panel in score_panels(study.suites) if panel in present]
    for suite in study.suites:
        if (chosen := primary_metric(suite, study.scores)) and suite not in {name for name, _ in panels}:
            panels.append((suite, chosen[1]))
    return panels


def _scores(study: StudyData) -> Canvas | None:
    panels = panels_of(study)
    overall = study.scores[study.scores["category"] == "all"]
    return draw_scores(overall, panels, {cell: study.label(cell) for cell in study.cells}) if panels else None


def draw_scores(scores: pd.DataFrame, panels: Sequence[tuple[str, str]], cells: Mapping[Cell, str]) -> Canvas:
    """Draw the metric of each panel by cell, with interval and ideal value.

    Args:
        scores: overall scores of every cell.
        panels: suite and metric of each.
        cells: the label of each cell, in the order of the rows.
    """
    environments = list(dict.fromkeys(cell.environment for cell in cells))
    canvas, grid = new_grid(WIDTH, 1.0 + 0.28 * len(cells), len(panels), sharey=True)
    for axes, (suite, metric) in zip(chain(*grid), panels, strict=True):
        rows = scores[(scores["suite"] == suite) & (scores["metric"] == metric)]
        formats = sorted(rows["format"].unique(), key=FORMATS.index)
        ideal = ideal_of(scores, suite, metric)
        if math.isfinite(ideal):
            axes.axvline(ideal, color="#222222", linestyle="--", linewidth=1)
        for position, cell in enumerate(cells):
            colour = COLOURS[environments.index(cell.environment) % len(COLOURS)]
            here = of_cell(rows, cell)
            for step, form in enumerate(formats):
                place = position + (step - (len(formats) - 1) / 2) * 0.7 / max(2, len(formats))
                for _, row in here[here["format"] == form].iterrows():
                    _draw_score(axes, row, place, colour)
        axes.set_title(suite.replace("_", " "))
        axes.set_xlabel(_wrapped(metric))
        axes.grid(axis="x")
        axes.set_axisbelow(True)
    for row_of_axes in grid:
        name_rows(row_of_axes[0], list(cells.values()))
    return canvas


def _draw_score(axes: Axes, row: pd.Series, place: float, colour: str) -> None:
    if not math.isfinite(row["estimate"]):
        return
    if _too_few(row):
        axes.plot(row["estimate"], place, **TOO_FEW)
        return
    axes.errorbar(
        row["estimate"],
        place,
        xerr=error_bars(row["low"], row["estimate"], row["high"]),
        fmt=MARKERS.get(row["format"], "s"),
        markerfacecolor=colour if row["format"] == LIKELIHOOD else "white",
        color=colour,
        markersize=4.5,
        elinewidth=1.2,
    )


MARKERS = {LIKELIHOOD: "o", LETTER_BALANCED: "D"}
"""How a score is drawn by its format; a square where it is none of these."""

TOO_FEW: Any = {"marker": "x", "color": "#999999", "markersize": 5, "linestyle": "none"}
"""How a value is drawn that has no interval: the one answer of 144 that names an option is no rate of 100 %."""


def _too_few(row: pd.Series) -> bool:
    """Return whether too few answers could be used for an interval."""
    return not math.isfinite(row["low"])


def _contrasts(study: StudyData) -> Canvas | None:
    """Draw a forest plot of paired differences."""
    rows = pd.concat([primary_contrasts(suite, study.contrasts, study.scores) for suite in study.suites])
    if rows.empty:
        return None
    pairs = compared_pairs(rows)
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
    names = pair_labels(pairs, study.several_models)
    for panels in grid:
        name_rows(panels[0], names)
    return canvas


def _write_p(axes: Axes, row: pd.Series, position: int) -> None:
    """Write the corrected p above its bar, within the panel, on a white ground that hides the line of no difference.

    Called when every bar is drawn: the place of a label depends on the limits of its panel.
    """
    left, right = axes.get_xlim()
    place = (row["difference"] - left) / (right - left)
    axes.annotate(
        p_value(float(row["p_corrected"])) + (" *" if row["format"] in (LETTER, LETTER_BALANCED) else ""),
        (row["difference"], position),
        xytext=(0, 5),
        textcoords="offset points",
        ha="left" if place < 0.2 else "right" if place > 0.8 else "center",
        fontsize=7,
        color="#222222",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        zorder=4,
    )


def _wrapped(metric: str) -> str:
    """Return a metric's name on lines of about two words."""
    return textwrap.fill(metric.replace("_", " "), 16)


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"contrasts": contrast_table(study)}


DRAWINGS = (
    Drawing(
        "scores",
        "Bias by environment and variant",
        "One panel a suite, one row a cell. Filled circles: log-likelihood of the options. Open diamonds: balanced "
        "letters, over all places of an option. Open squares: letters written in one order. Bars: interval from a "
        "bootstrap over clusters. Dashed line: the metric's ideal value; a point left of it is not better than a point "
        "right of it. Grey crosses: too few answers name an option for an interval; they say nothing of the others.",
        "Dot plot of each suite's bias metric by cell with intervals; the same numbers are in the score tables.",
        _scores,
    ),
    Drawing(
        "contrasts",
        "Paired differences",
        "Each row is one cell minus another on the same items. Circles: the same build in two environments. Diamonds:"
        " a "
        "compressed build minus the uncompressed one. Squares: the build that ships to the edge minus the others, "
        "environment "
        "and compression together. Filled: significant at 0.05 after the correction; open: not. p is the corrected "
        "one. An asterisk marks pairs compared by letters, because one of the two gives no log-probabilities of "
        "options. Grey crosses: too few common answers for an interval.",
        "Forest plot of paired differences with intervals; the same numbers are in the contrast table.",
        _contrasts,
    ),
)
SECTION = Section("environments", "Environments and builds", _content, DRAWINGS)

"""Section: format robustness, that is, how much of an answer is the item, and how much the way it was asked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from edgebias.core.cell import Cell
from edgebias.report.canvas import COLOURS, MARKERS, error_bars, name_rows, new_canvas
from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.numbers import ABSENT, interval, number, percent
from edgebias.report.section import Section
from edgebias.report.table import Table, cell_of, estimate_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SOURCES = (
    "item",
    "option order",
    "template",
    "unknown wording",
    "environment",
    "build",
    "interactions of factors",
    "interactions with the item",
    "sampling",
)
"""The order of rows."""


def format_sentence(study: StudyData) -> str:
    """Return what a reader should take from the figure, from the numbers alone; empty where no cell was asked."""
    if not study.robustness:
        return ""
    greedy = study.robustness["variance_shares"].query("reading == 'greedy'")
    places = greedy[greedy["factor"] == "environment"]
    crossing = str((greedy if places.empty else places)["crossing"].iloc[0])
    rows = {str(row["factor"]): row for _, row in greedy[greedy["crossing"] == crossing].iterrows()}
    environment = f", the environment for {_share(rows['environment'], 'total')}" if "environment" in rows else ""
    levels = study.robustness["by_level"]
    levels = levels[(levels["factor"] == "option order") & (levels["metric"] == "sAMB")]
    cell = cell_of(levels.iloc[0])
    same = (levels["environment"] == cell.environment) & (levels["model"] == cell.model)
    order = levels[same & (levels["variant"] == cell.variant)].sort_values("estimate", kind="stable")
    return (
        f"Asked for a letter ({_crossing(study, crossing)}), the item alone accounts for "
        f"{_share(rows['item'], 'first_order')} of the variance of an answer, the order of options with all its "
        f"interactions for {_share(rows['option order'], 'total')}{environment}. By that order alone, sAMB of "
        f"{study.label(cell)} goes from {estimate_of(order.iloc[0])} to {estimate_of(order.iloc[-1])}."
    )


def robustness_tables(study: StudyData) -> tuple[Table, ...]:
    """Return the shares of variance, flips, position bias, and scores by format."""
    if not study.robustness:
        return ()
    return (_variance(study), _flips(study), _positions(study), _levels(study))


def _variance(study: StudyData) -> Table:
    rows = study.robustness["variance_shares"]
    listed = [
        (
            _crossing(study, str(row["crossing"])),
            str(row["reading"]),
            f"{row['factor']} ({int(row['levels'])})" if row["levels"] else str(row["factor"]),
            _share(row, "first_order"),
            _share(row, "total"),
        )
        for _, row in _sorted(rows, ("crossing", "reading")).iterrows()
    ]
    return Table(
        "Shares of the variance of one answer; the own effects of a crossing add up to 100 %",
        ("Crossing", "Answers", "Source (levels)", "Own effect [low, high]", "With interactions [low, high]"),
        tuple(listed),
        frozenset({3, 4}),
    )


def _flips(study: StudyData) -> Table:
    rows = study.robustness["flip_rates"]
    listed = [
        (
            _crossing(study, str(row["crossing"])),
            str(row["factor"]),
            f"{estimate_of(row)} %",
            number(int(row["n_clusters"])),
        )
        for _, row in _sorted(rows, ("crossing",)).iterrows()
    ]
    return Table(
        "Flips: how often the greedy answer to the same item changes when one thing changes",
        ("Where", "What changes", "Changed answers [low, high]", "Items"),
        tuple(listed),
        frozenset({2, 3}),
    )


def _positions(study: StudyData) -> Table:
    listed = []
    for keys, part in study.robustness["position_bias"].groupby(
        ["environment", "model", "variant", "template"], sort=True
    ):
        environment, model, variant, template = (str(key) for key in keys)
        places = [
            f"{number(row['chosen'])} {interval(row['chosen_low'], row['chosen_high'])}" for _, row in part.iterrows()
        ]
        mass = percent(float(part["letter_mass"].iloc[0]) / 100.0)
        listed.append((study.label(Cell(environment, model, variant)), template, *places, mass))
    places = [f"Place {position} (ideal 33.3 %)" for position in (1, 2, 3)]
    return Table(
        "Position bias: share of greedy choices that each place gets, in percent",
        ("Cell", "Template", *places, "Probability of any letter"),
        tuple(listed),
        frozenset({2, 3, 4, 5}),
    )


def _levels(study: StudyData) -> Table:
    rows = study.robustness["by_level"]
    listed = []
    for keys, part in rows.groupby(["environment", "model", "variant", "factor", "level"], sort=True):
        environment, model, variant, factor, level = (str(key) for key in keys)
        values = {str(row["metric"]): estimate_of(row) for _, row in part.iterrows()}
        label = study.label(Cell(environment, model, variant))
        listed.append((label, factor, level, values.get("sAMB", ABSENT), values.get("accuracy_ambiguous", ABSENT)))
    return Table(
        "What a study in one format alone would print",
        ("Cell", "Fixed", "At", "sAMB (ideal 0)", "Ambiguous accuracy (ideal 100)"),
        tuple(listed),
        frozenset({3, 4}),
    )


def draw(study: StudyData) -> Canvas | None:
    """Draw variance shares of the first two crossings, and choices by place of every cell and template."""
    if not study.robustness:
        return None
    variance = study.robustness["variance_shares"]
    variance = variance[variance["reading"] == "greedy"]
    crossings = list(dict.fromkeys(variance["crossing"]))[:2]
    names = [name for name in SOURCES if (variance["factor"] == name).any() and name != "sampling"]
    canvas, (left, right) = new_canvas(9.6, 1.2 + 0.34 * max(len(names), 8), 2)
    for number_of, crossing in enumerate(crossings):
        rows = variance[variance["crossing"] == crossing].set_index("factor")
        for position, name in enumerate(names):
            if name not in rows.index:
                continue
            row, at = rows.loc[name], position + (number_of - (len(crossings) - 1) / 2) * 0.3
            for reach, face in (("first_order", COLOURS[number_of]), ("total", "white")):
                if math.isfinite(row[reach]):
                    left.errorbar(
                        row[reach],
                        at,
                        xerr=error_bars(row[f"{reach}_low"], row[reach], row[f"{reach}_high"]),
                        fmt=MARKERS[number_of],
                        color=COLOURS[number_of],
                        markerfacecolor=face,
                        markersize=5,
                        linewidth=1.2,
                        label=_crossing(study, crossing) if position == 0 and reach == "first_order" else None,
                    )
    name_rows(left, names)
    left.set_xlim(-0.02, 1.02)
    left.set_xlabel("share of variance")
    left.set_title("Sources of variance", loc="left")
    left.grid(axis="x")
    left.legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.4, -0.16))
    _draw_positions(right, study)
    return canvas


def _draw_positions(axes: Any, study: StudyData) -> None:
    rows = study.robustness["position_bias"]
    groups = list(rows.groupby(["environment", "model", "variant", "template"], sort=True))
    axes.axvline(float(rows["ideal"].iloc[0]), color="#222222", linestyle="--", linewidth=1)
    labels = []
    for position, (keys, part) in enumerate(groups):
        environment, model, variant, template = (str(key) for key in keys)
        labels.append(f"{study.label(Cell(environment, model, variant))}, {template}")
        for place, (_, row) in enumerate(part.sort_values("position").iterrows()):
            axes.errorbar(
                row["chosen"],
                position + (place - 1) * 0.24,
                xerr=error_bars(row["chosen_low"], row["chosen"], row["chosen_high"]),
                fmt=MARKERS[place],
                color=COLOURS[place],
                markersize=4.5,
                linewidth=1,
                label=f"place {place + 1}" if position == 0 else None,
            )
    name_rows(axes, labels)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("% of greedy choices")
    axes.set_title("Position bias", loc="left")
    axes.grid(axis="x")
    axes.legend(fontsize=7.5, ncols=3, loc="upper center", bbox_to_anchor=(0.4, -0.16))


def _sorted(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    place = rows["factor"].map({name: position for position, name in enumerate(SOURCES)})
    return rows.assign(place=place).sort_values([*by, "place"], kind="stable")


def _crossing(study: StudyData, name: str) -> str:
    """Return the name of a crossing, without the model where there is only one."""
    return name if study.several_models else name.partition(": ")[2]


def _share(row: pd.Series[Any], name: str) -> str:
    """Return a share in percent with its limits."""
    value = float(row[name])
    if not math.isfinite(value):
        return ABSENT
    low, high = 100.0 * float(row[f"{name}_low"]), 100.0 * float(row[f"{name}_high"])
    if not math.isfinite(low):
        return f"{number(100.0 * value)} %"
    return f"{number(100.0 * value)} {interval(low, high)} %"


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"robustness_tables": robustness_tables(study)}


DRAWINGS = (
    Drawing(
        "robustness",
        "Where the variance of an answer comes from, and which place on the page wins",
        "Left: shares of the variance of one greedy answer (stereotype 1, anti-stereotype -1, unknown 0) over a "
        "crossed design of ambiguous items; filled: a source's own effect, open: with every interaction that it takes "
        "part in, which is why the open ones add up to more than 1. Right: how often each place is chosen when every "
        "option stands in every place equally often; dashed line: no position bias. Bars: intervals over items.",
        "Dot plots of variance shares by source and of choices by place; the same numbers are in the tables below.",
        draw,
    ),
)
SECTION = Section("robustness", "Format robustness", _content, DRAWINGS)

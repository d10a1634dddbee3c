"""Section: the excess of the edge build over each reference, split into model, build and environment."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgebias.report.canvas import COLOURS, error_bars, name_rows, new_canvas
from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.findings import cell_name
from edgebias.report.numbers import ABSENT, brackets, estimate, number, percent, signed
from edgebias.report.section import Section
from edgebias.report.table import Table, title_of, value_of
from edgebias.stats.decomposition import EDGE, EXCESS, FACTORS, PERCENT, POINTS, REFERENCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SUITE, METRIC = "forced_choice", "stereotype_rate"
"""The paper's protocol, and the score by which its percentages can be read."""

FORMATS = ("likelihood", "letter_balanced", "letter")
"""What the sentence and the figure may tell of, best first."""

KEY = ("edge_cell", "reference_cell", "suite", "format", "metric")
ENDS = (REFERENCE, EDGE, EXCESS)
IDEAL = 50.0
"""Of the stereotype rate."""
WIDTH_OF_ONE = 5.2
"""Inches of a waterfall."""
LEAST_SPREAD = 0.05
"""Points by which a part must depend on the order before the table says so."""


@dataclass(frozen=True)
class Told:
    """One decomposed excess: its rows by component, in points and in per cent of the reference's score."""

    edge: str
    reference: str
    suite: str
    form: str
    metric: str
    points: Mapping[str, Mapping[str, Any]]
    percent: Mapping[str, Mapping[str, Any]]

    @property
    def parts(self) -> list[str]:
        """The components that add up to the excess: model, build, environment, as far as they stand alone."""
        return sorted(
            (name for name in self.points if name not in ENDS), key=lambda name: FACTORS.index(name.split()[0])
        )

    @property
    def n_orders(self) -> int:
        """The orders over which parts are means."""
        return int(self.points["excess"]["n_orders"])


def decomposed(rows: Sequence[Mapping[str, Any]]) -> list[Told]:
    """Return the decompositions in the rows of the table, in their order."""
    found: dict[tuple[str, str, str, str, str], dict[str, dict[str, Mapping[str, Any]]]] = {}
    for row in rows:
        edge, reference, suite, form, metric = (str(row[name]) for name in KEY)
        units = found.setdefault((edge, reference, suite, form, metric), {})
        units.setdefault(str(row["unit"]), {})[str(row["component"])] = row
    return [
        Told(edge, reference, suite, form, metric, units[POINTS], units.get(PERCENT, {}))
        for (edge, reference, suite, form, metric), units in found.items()
    ]


def told(rows: Sequence[Mapping[str, Any]]) -> list[Told]:
    """Return one decomposition for each reference: of the paper's suite and score, where it has an interval.

    Its format is the first of `FORMATS` among those that most references have, so that they are told alike.
    """
    usable = [
        one
        for one in decomposed(rows)
        if (one.suite, one.metric) == (SUITE, METRIC)
        and one.form in FORMATS
        and math.isfinite(value_of(one.points["excess"]["low"]))
    ]
    formats = [one.form for one in usable]
    usable.sort(key=lambda one: (-formats.count(one.form), FORMATS.index(one.form)))
    chosen: dict[str, Told] = {}
    for one in usable:
        chosen.setdefault(one.reference, one)
    return [chosen[name] for name in dict.fromkeys(one.reference for one in decomposed(rows)) if name in chosen]


def decomposition_sentence(study: StudyData) -> str:
    """Return how much of the excess is model, build and environment; empty where nothing was decomposed."""
    return sentence(study.decomposition.to_dict("records"))


def sentence(rows: Sequence[Mapping[Any, Any]]) -> str:
    """Return that sentence, one for each reference, from rows of the table."""
    found = told(rows)
    clauses = [_clause(one) for one in found]
    if not clauses:
        return "" if not rows else "The excess of the edge build is undefined: too few answers name a group."
    other_models = all(any("model" in name.split() for name in one.parts) for one in found)
    lead = "As in the paper, another model runs in each environment. " if other_models else ""
    return f"{lead}{'. '.join(clauses)}."


def _clause(one: Told) -> str:
    edge, reference = cell_name(one.edge, True), cell_name(one.reference, True)
    relative = _is_defined(one)
    rows, unit = (one.percent, " %") if relative else (one.points, " points")
    named = [f"{_value(rows[name], unit)} for the {name}" for name in one.parts]
    return (
        f"The stereotype rate of {edge} differs from that of {reference} by {_value(rows['excess'], unit)} "
        f"({one.form}): {_listed(named)}; {_distinguishable(one, rows)}"
    )


def _distinguishable(one: Told, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return which parts have an interval without 0; each interval stands by itself."""
    sure = [name for name in one.parts if value_of(rows[name]["low"]) > 0 or value_of(rows[name]["high"]) < 0]
    if not sure:
        return "no part can be told from 0"
    if len(sure) == len(one.parts):
        return "each part can be told from 0"
    return f"of these, only {_listed(sure)} can be told from 0"


def _is_defined(one: Told) -> bool:
    """Return whether the excess has a value and an interval in per cent."""
    return bool(one.percent) and math.isfinite(value_of(one.percent["excess"]["low"]))


def _value(row: Mapping[str, Any], unit: str = "") -> str:
    value, low, high = (value_of(row[name]) for name in ("estimate", "low", "high"))
    return f"{signed(value)}{unit} {brackets(low, high)}" if math.isfinite(value) else ABSENT


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def decomposition_tables(rows: Sequence[Mapping[Any, Any]]) -> tuple[Table, ...]:
    """Return the decompositions in points, and in per cent of the reference's score where that has a meaning."""
    found = decomposed(rows)
    if not found:
        return ()
    return (
        _table("The excess in points of the score, and its parts", found, lambda one: one.points),
        _table(
            "The same in per cent of the reference's score, as the paper states it; of rates alone",
            [one for one in found if one.percent],
            lambda one: one.percent,
        ),
    )


def _table(caption: str, found: Sequence[Told], unit: Callable[[Told], Mapping[str, Mapping[str, Any]]]) -> Table:
    names = list(dict.fromkeys(name for one in found for name in one.parts))
    listed = []
    for one in found:
        rows = unit(one)
        scores = [_score(one.points[name]) for name in ("reference", "edge")]
        values = [_with_orders(rows[name]) if name in rows else ABSENT for name in names]
        listed.append(
            (
                f"{cell_name(one.edge, True)} minus {cell_name(one.reference, True)}",
                f"{title_of(one.suite)}, {one.metric} ({one.form})",
                *scores,
                _value(rows["excess"]) if "excess" in rows else ABSENT,
                *values,
                number(one.n_orders),
                percent(value_of(one.points["excess"]["coverage"])),
                str(rows["excess"]["reason"] or "") if "excess" in rows else "",
            )
        )
    heads = (
        *("Pair", "Score", "Reference", "Edge", "Excess [low, high]"),
        *(f"{name.capitalize()} [low, high] (by order)" for name in names),
        *("Orders", "Usable", "Remark"),
    )
    return Table(caption, heads, tuple(listed), unbroken=frozenset(range(2, 5 + len(names))))


def _score(row: Mapping[str, Any]) -> str:
    return estimate(value_of(row["estimate"]), value_of(row["low"]), value_of(row["high"]))


def _with_orders(row: Mapping[str, Any]) -> str:
    """Return a part with its interval and, where factors interact, its least and largest value by order."""
    low, high = value_of(row["order_low"]), value_of(row["order_high"])
    spread = f" ({signed(low)} to {signed(high)})" if math.isfinite(low) and high - low > LEAST_SPREAD else ""
    return f"{_value(row)}{spread}"


def _draw(study: StudyData) -> Canvas | None:
    return draw(study.decomposition.to_dict("records"))


def draw(rows: Sequence[Mapping[Any, Any]]) -> Canvas | None:
    """Draw a waterfall for each reference, from its score over the parts to the score of the edge build."""
    chosen = told(rows)
    if not chosen:
        return None
    canvas, panels = new_canvas(WIDTH_OF_ONE * max(len(chosen), 2), 3.4, len(chosen))
    for axes, one in zip(panels, chosen, strict=True):
        _draw_one(axes, one)
    return canvas


def _draw_one(axes: Axes, one: Told) -> None:
    at = value_of(one.points["reference"]["estimate"])
    names = ["reference", *one.parts, "edge"]
    axes.axvline(IDEAL, color="#222222", linestyle="--", linewidth=1)
    for position, name in enumerate(names):
        row = one.points[name]
        size, low, high = (value_of(row[key]) for key in ("estimate", "low", "high"))
        if name in ENDS:
            start, end, limits, colour = IDEAL, size, (low, high), "#777777"
        else:
            start, end, colour = at, at + size, COLOURS[1] if size > 0 else COLOURS[0]
            limits = at + low, at + high
        axes.barh(position, end - start, left=start, height=0.56, color=colour, alpha=0.75)
        axes.errorbar(
            end, position, xerr=error_bars(limits[0], end, limits[1]), color="#222222", linewidth=1, capsize=2
        )
        text = number(size) if name in ENDS else f"{signed(size)} points"
        axes.annotate(
            text,
            (max(end, start, limits[1]), position),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
        )
        if name != "edge":
            axes.plot([end, end], [position, position + 1], color="#888888", linewidth=0.8, linestyle=":")
        at = end
    labels = [cell_name(one.reference, True), *one.parts, cell_name(one.edge, True)]
    name_rows(axes, [textwrap.fill(label, 22) for label in labels])
    axes.set_xlabel(f"{title_of(one.suite)}, {title_of(one.metric).lower()} ({one.form}), %")
    axes.set_title(f"E = {_value(one.percent['excess'], ' %')}" if _is_defined(one) else "E is undefined", loc="left")
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.use_sticky_edges = False  # the bars begin at the ideal value, whose line would be the edge of the panel
    axes.margins(x=0.18)


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"decomposition_tables": decomposition_tables(study.decomposition.to_dict("records"))}


DRAWING = Drawing(
    "decomposition",
    "From the reference to the edge build, one factor at a time",
    "Grey: the score of the reference (top) and of the edge build (bottom), drawn from the ideal value (dashed). "
    "Coloured: the part of each factor, orange upwards and blue downwards. Bars: intervals of each part by itself; one "
    "draw of templates serves all cells. E is the excess as the paper states it, in per cent of the reference's score.",
    "Waterfall from the reference's score over model, build and environment to the edge build's; the same numbers are "
    "in the table.",
    _draw,
)
SECTION = Section("decomposition", "The excess taken apart", _content, (DRAWING,))

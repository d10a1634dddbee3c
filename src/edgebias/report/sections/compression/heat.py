"""Builds by dimensions at a glance: the difference of trust from the full build, and what was not answered."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from edgebias.report.canvas import WIDTH, name_rows
from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.numbers import ABSENT, MINUS
from edgebias.report.table import value_of
from edgebias.report.trust import (
    BENIGN,
    BLIND,
    KEEPS,
    MARGIN,
    Build,
    Judged,
    builds_of,
    compressed,
    judged,
    measured,
    name_of,
    names_of,
    panels_of,
    unanswered,
)
from edgebias.suites.registry import SUITES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure as Canvas

KEPT, UNKNOWN = "\N{ALMOST EQUAL TO}", "undef."
LEAST_REACH, MOST_REACH = 10.0, 40.0
"""Points at which the colours of differences end, at least and at most: one outlier makes no other pale."""

ROW, COLUMN, NAMES = 0.25, 0.62, 1.5
"""Inches: height of a build, width of a dimension on a page of one model, width of the names of builds."""

FACTS = 2
"""Columns before the dimensions: bits per weight, and perplexity in terms of the full build's."""

DARK = 1.35
"""Sum of red, green and blue (0 to 3) below which letters are white."""

Shown = Callable[[Build, str], tuple[float, str, bool]]
"""Gives the value behind the colour, the text, and whether it is framed, of a build and a suite."""


def _differences(study: StudyData) -> Canvas | None:
    return draw_differences(judged(study))


def draw_differences(found: Sequence[Judged]) -> Canvas | None:
    """Draw builds by dimensions: the difference from the full build in colour and number."""
    if not found:
        return None
    reach = max((abs(one.difference) for one in found if math.isfinite(one.difference)), default=LEAST_REACH)
    reach = min(max(reach, LEAST_REACH), MOST_REACH)
    names = names_of(found)
    differences = {(one.build.key, one.suite): one for one in found}

    def cell(build: Build, suite: str) -> tuple[float, str, bool]:
        one = differences.get((build.key, suite))
        if one is None:
            return math.nan, "", False
        if not math.isfinite(one.difference):
            return math.nan, UNKNOWN, False
        kept = f" {KEPT}" if one.verdict == KEEPS and not one.is_void else ""
        return one.difference, f"{_points(one.difference)}{kept}", one.is_sure

    heat = Heat(
        columns=[(name_of(*one, names), one[1]) for one in names],
        cell=cell,
        label="Difference of trust from the full build, points",
        colours=("PuOr", -reach, reach),
        blind=frozenset((one.build.environment, one.build.model, one.suite) for one in found if one.blind),
    )
    return _draw_heat(compressed(found), heat)


def _no_answers(study: StudyData) -> Canvas | None:
    """Draw builds by dimensions: what was refused, not read or blank."""
    rows = unanswered(study)
    if rows.empty:
        return None
    suites = [one for one in measured(study) if one[1] in set(rows["suite"])]
    shares = {
        (*(str(row[name]) for name in ("environment", "model", "variant")), str(row["suite"])): row
        for _, row in rows.iterrows()
    }

    def cell(build: Build, suite: str) -> tuple[float, str, bool]:
        row = shares.get((*build.key, suite))
        if row is None:
            return math.nan, "", False
        refused, unread, blank = (value_of(row[name]) for name in ("refusal", "unparsed", "blank"))
        if not math.isfinite(refused):
            return math.nan, UNKNOWN, False
        return refused + unread + blank, f"{_points(refused, '')} + {_points(unread + blank, '')}", False

    heat = Heat(
        columns=[(f"{name_of(*one, suites)} ({_form_of(rows, one[1])})", one[1]) for one in suites],
        cell=cell,
        label="Refused + not read or blank, % of responses",
        colours=("YlOrBr", 0.0, 100.0),
    )
    return _draw_heat(builds_of(study), heat)


def _form_of(rows: pd.DataFrame, suite: str) -> str:
    forms = rows[rows["suite"] == suite]["format"]
    return str(forms.mode().iloc[0]).replace("_", " ")


def _points(value: float, plus: str = "+") -> str:
    """Return a whole number of points, with its sign; one decimal below ten would crowd a picture."""
    text = f"{abs(value):.0f}"
    if text == "0":
        return "0"
    return f"{MINUS if value < 0 else plus}{text}"


@dataclass(frozen=True)
class Heat:
    """What a picture of builds by dimensions shows.

    Attributes:
        columns: head and suite of each column.
        cell: gives what stands in it.
        label: of the bar of colours.
        colours: name of matplotlib's map, with the values at its two ends.
        blind: environment, model and suite where a control reaches the full build.
    """

    columns: Sequence[tuple[str, str]]
    cell: Shown
    label: str
    colours: tuple[str, float, float]
    blind: frozenset[tuple[str, str, str]] = frozenset()


def _draw_heat(builds: Sequence[Build], heat: Heat) -> Canvas:
    """Draw a panel for each environment and model, side by side: builds by dimensions, in colour and number."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure as Matplotlib

    panels = panels_of(builds)
    variants = list(dict.fromkeys(build.variant for build in builds))
    name, least, most = heat.colours
    shade = ScalarMappable(Normalize(least, most), name)
    width = NAMES + 0.5 + COLUMN * len(panels) * (FACTS + len(heat.columns))
    canvas = Matplotlib(figsize=(min(width, WIDTH), 2.4 + ROW * len(variants)), layout="constrained")
    grid = canvas.subplots(1, len(panels), squeeze=False, sharey=True)
    for axes, panel in zip(grid[0], panels, strict=True):
        mine = {build.variant: build for build in builds if (build.environment, build.model) == panel}
        ordered = [mine.get(variant) for variant in variants]
        _fill(axes, ordered, heat, shade)
        _heads(axes, [f"{head} {BLIND}" if (*panel, suite) in heat.blind else head for head, suite in heat.columns])
        _part(axes, ordered, heat.columns)
        if len(panels) > 1:
            axes.set_xlabel(" ".join(panel), fontweight="bold")
    name_rows(grid[0][0], variants)
    bar = canvas.colorbar(shade, ax=list(grid[0]), orientation="horizontal", shrink=0.6, aspect=40, pad=0.02)
    bar.set_label(heat.label)
    return canvas


def _fill(axes: Axes, builds: Sequence[Build | None], heat: Heat, shade: ScalarMappable) -> None:
    """Draw a row for each build: its facts, then a box for each column."""
    _, least, most = heat.colours
    for row, build in enumerate(builds):
        if build is None:
            continue
        for place, text in enumerate(_facts(build)):
            axes.text(place, row, text, ha="center", va="center", fontsize=7, color="#333333")
        for place, (_, suite) in enumerate(heat.columns, start=FACTS):
            value, text, framed = heat.cell(build, suite)
            face = shade.cmap((value - least) / (most - least)) if math.isfinite(value) else (0.93, 0.93, 0.93, 1.0)
            _box(axes, (place, row), face, text, framed)


def _heads(axes: Axes, heads: Sequence[str]) -> None:
    """Name the columns above them, without a frame around the whole."""
    axes.set_xticks(range(FACTS + len(heads)), ["bits", "ppl \N{MULTIPLICATION SIGN}", *heads])
    axes.xaxis.tick_top()
    for text in axes.get_xticklabels():
        text.set(rotation=35, ha="left", rotation_mode="anchor", fontsize=7.5)
    axes.set_xlim(-0.6, FACTS + len(heads) - 0.5)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _facts(build: Build) -> tuple[str, str]:
    factor = build.perplexity_factor
    bits = f"{build.bits:.1f}" if math.isfinite(build.bits) else ABSENT
    return bits, f"{factor:.3g}" if math.isfinite(factor) else ABSENT


def _box(axes: Axes, at: tuple[float, float], face: tuple[float, ...], text: str, framed: bool) -> None:
    from matplotlib.patches import Rectangle

    x, y = at
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=face, edgecolor="white", linewidth=1.2))
    if text == UNKNOWN:
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, hatch="///", edgecolor="#bbbbbb", linewidth=0))
    if framed:
        axes.add_patch(Rectangle((x - 0.44, y - 0.4), 0.88, 0.8, fill=False, edgecolor="#111111", linewidth=1.3))
    colour = "white" if sum(face[:3]) < DARK else "#111111"
    weight = "bold" if framed else "normal"
    axes.text(x, y, text, ha="center", va="center", fontsize=7, color=colour, fontweight=weight)


def _part(axes: Axes, builds: Sequence[Build | None], columns: Sequence[tuple[str, str]]) -> None:
    """Draw lines above the first pruned build, and before ability."""
    pruned = [row for row, build in enumerate(builds) if build is not None and build.is_pruned]
    if pruned and pruned[0]:
        axes.axhline(pruned[0] - 0.5, color="#222222", linewidth=1.5)
    ability = [place for place, (_, suite) in enumerate(columns) if SUITES.get(suite).dimension == BENIGN]
    if ability and ability[0]:
        axes.axvline(FACTS + ability[0] - 0.5, color="#222222", linewidth=1.5)


DIFFERENCES = Drawing(
    "trust-differences",
    "What each build does to each dimension of trust",
    "Difference of trust (0 to 100) from the full build on the same items: purple is gained, orange is lost. "
    "Framed and bold: beyond doubt after correction for all comparisons of a model. "
    f"{KEPT}: the whole interval lies above {MINUS}{MARGIN:g} points, so trust is kept; a bare number proves "
    f"neither. {BLIND}: a control that does not read reaches the full build in this column. There, trust "
    "counts as kept only if the answers stayed the same. Hatched: too few answers for a score. Above "
    "the line all weights, below it pruned; bits: per weight; ppl: perplexity in terms of the full build's.",
    "Heat map of differences of trust by dimension and build; the same numbers are in the table below.",
    _differences,
)
NO_ANSWERS = Drawing(
    "trust-no-answers",
    "What was not answered",
    "Per cent of the responses that refuse (first number) and that name no option or are blank (second number), in a "
    "format in which a model writes. Darker: fewer answers. A trust score speaks of the rest alone.",
    "Heat map of refused and unreadable responses by dimension and build; the same numbers are in the table below.",
    _no_answers,
)

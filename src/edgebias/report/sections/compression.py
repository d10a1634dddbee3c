"""Section: what compression does to trust, dimension by dimension, beside controls that a broken model resembles."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd

from edgebias.report.canvas import COLOURS, MARKERS, WIDTH, error_bars, name_rows, new_grid
from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.findings import BROKEN
from edgebias.report.numbers import ABSENT, MINUS, brackets, estimate, number, p_number, percent, signed
from edgebias.report.section import Section
from edgebias.report.table import Table, title_of, value_of
from edgebias.report.trust import (
    BENIGN,
    GAINS,
    KEEPS,
    LOSES,
    MARGIN,
    UNCLEAR,
    UNDEFINED,
    Build,
    Judged,
    Reached,
    between_seeds,
    builds_of,
    compressed,
    judged,
    measured,
    name_of,
    panels_of,
    reached,
    rows_of,
    unanswered,
)
from edgebias.report.trust_claims import verdicts
from edgebias.score.trust.controls import CANNOT_WIN, CONTROLS
from edgebias.suites.base import DIMENSIONS
from edgebias.suites.registry import SUITES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

KEPT, BLIND, UNKNOWN = "\N{ALMOST EQUAL TO}", "\N{DAGGER}", "undef."
LEAST_REACH, MOST_REACH = 10.0, 40.0
"""Points at which the colours of differences end, at least and at most: one outlier makes no other pale."""


Rows = Sequence[tuple[str, str]]
"""Dimension and suite of each row."""


def rows_in(found: Sequence[Judged]) -> Rows:
    """Return dimension and suite of each row of a picture, each once, ability last."""
    names = dict.fromkeys((one.dimension, one.suite) for one in found)
    return sorted(names, key=lambda one: DIMENSIONS.index(one[0]))


def is_shown(study: StudyData) -> bool:
    """Return whether a suite of the study measures trust."""
    return bool(study.trust)


def trust_sentence(study: StudyData) -> str:
    """Return what the study found of trust in one sentence; empty where it has none."""
    return sentence(judged(study)) if study.trust else ""


def sentence(judged_ones: Sequence[Judged]) -> str:
    """Return that sentence: how many differences are losses, gains, or none."""
    found = [one for one in judged_ones if one.dimension != BENIGN]
    if not found:
        return "Trust of a compressed build beside the full one was not measured."
    counts = {
        verdict: sum(one.verdict == verdict for one in found) for verdict in (KEEPS, LOSES, GAINS, UNCLEAR, UNDEFINED)
    }
    builds = len(compressed(found))
    void = sum(one.is_void for one in found)
    blinded = (
        f"; in {void} of those kept or gained a control that does not read has as much, which proves nothing"
        if void
        else ""
    )
    return (
        f"Trust of {builds} compressed builds beside the full one, {len(found)} comparisons on the same items: kept "
        f"within {number(MARGIN)} points in {counts[KEEPS]}, lost in {counts[LOSES]}, gained in {counts[GAINS]}, no "
        f"detectable difference in {counts[UNCLEAR]}, undefined in {counts[UNDEFINED]}{blinded}."
    )


def recommendations(found: Sequence[Judged]) -> list[str]:
    """Return a sentence for each compressed build: what it keeps, loses and gains, and what is not known."""
    builds, names = compressed(found), rows_in(found)
    several = len(panels_of(builds)) > 1
    return [
        _recommendation(build, [one for one in found if one.build.key == build.key], names, several) for build in builds
    ]


def _recommendation(build: Build, mine: Sequence[Judged], names: Rows, several: bool) -> str:
    clauses = []
    void = [one for one in mine if one.is_void]
    for verdict, said in (
        (LOSES, "loses"),
        (KEEPS, f"keeps, within {number(MARGIN)} points,"),
        (GAINS, "gains in"),
        (UNCLEAR, "no difference is detectable in"),
        (UNDEFINED, "undefined is"),
    ):
        those = [one for one in mine if one.verdict == verdict and one not in void]
        if those:
            sized = verdict in (LOSES, GAINS)
            clauses.append(f"{said} {', '.join(_dimension(one, names, sized) for one in those)}")
    if void:
        told = ", ".join(name_of(one.dimension, one.suite, names) for one in void)
        clauses.append(f"no loss in {told}, which proves nothing: a control that does not read has as much")
    broken = (
        f" It hardly models text any more (perplexity times {number(build.perplexity_factor)}), so that a good score "
        "is no virtue."
        if build.perplexity_factor >= BROKEN
        else ""
    )
    return f"{_called(build, several)} ({_size(build)}): {'; '.join(clauses)}.{broken}"


def _dimension(one: Judged, names: Rows, sized: bool) -> str:
    name = name_of(one.dimension, one.suite, names)
    return f"{name} ({signed(one.difference)} {brackets(one.low, one.high)})" if sized else name


def _called(build: Build, several: bool) -> str:
    return f"{build.environment} {build.model} {build.variant}" if several else build.variant


def _size(build: Build) -> str:
    bits = f"{number(build.bits, 2)} bits" if math.isfinite(build.bits) else "bits unknown"
    pruned = f", {percent(build.pruned, 0)} zeros" if build.is_pruned else ""
    return f"{bits}{pruned}"


def control_sentences(study: StudyData) -> list[str]:
    """Return a sentence for each dimension and model in which a control reaches or beats the full build."""
    grouped: dict[tuple[str, str, str], list[Reached]] = {}
    for one in reached(study):
        grouped.setdefault((one.environment, one.model, one.suite), []).append(one)
    several, names = len({key[:2] for key in grouped}) > 1, measured(study)
    said = []
    for ones in grouped.values():
        first = ones[0]
        who = f" of {first.environment} {first.model}" if several else ""
        told = "; ".join(
            f"\N{LEFT DOUBLE QUOTATION MARK}{one.control}\N{RIGHT DOUBLE QUOTATION MARK} has {number(one.trust)}, "
            f"{'above' if one.beats else 'within'} its interval"
            for one in ones
        )
        name = name_of(first.dimension, first.suite, names)
        full = estimate(first.full, first.low, first.high)
        said.append(f"{name.capitalize()}: the full build{who} has {full} ({first.form}). {told}.")
    return said


def control_table(study: StudyData) -> Table:
    """Return the full build of each model beside the controls, and what the items are beside the paper's."""
    controls = study.trust["trust_controls"]
    rows = rows_of(study, main=False)
    full = [build for build in builds_of(study) if build.is_full]
    listed = []
    for dimension, suite in measured(study):
        of_suite = rows[rows["suite"] == suite]
        for form in dict.fromkeys(of_suite["format"]):
            alike = controls[(controls["suite"] == suite) & (controls["format"] == form)].set_index("control")
            listed.append(
                (
                    dimension,
                    f"{title_of(suite)} ({form})",
                    SUITES.get(suite).fidelity or ABSENT,
                    *(_trust_of(build, of_suite[of_suite["format"] == form]) for build in full),
                    *(_control(alike, name) for name in CONTROLS),
                )
            )
    several = len(full) > 1
    heads = [f"Full build{f' of {build.environment} {build.model}' if several else ''} [low, high]" for build in full]
    return Table(
        f"Trust of the full build, 0 to 100, beside controls that do not read. {BLIND}: reaches or beats a full build",
        ("Dimension", "Suite (format)", "What its items are", *heads, *(name.capitalize() for name in CONTROLS)),
        tuple(_marked(row, listed_full=len(full)) for row in listed),
        frozenset(range(3 + len(full), 3 + len(full) + len(CONTROLS))),
        unbroken=frozenset(range(3, 3 + len(full))),
    )


def _marked(row: tuple[Any, ...], *, listed_full: int) -> tuple[str, ...]:
    """Return a row as text, with a mark on controls that reach the lower end of any full build's interval."""
    head, full, controls = row[:3], row[3 : 3 + listed_full], row[3 + listed_full :]
    least = [low for _, low in full if math.isfinite(low)]
    marked = [
        f"{text} {BLIND}" if least and math.isfinite(trust) and trust >= min(least) else text
        for text, trust in controls
    ]
    return (*head, *(text for text, _ in full), *marked)


def _trust_of(build: Build, rows: pd.DataFrame) -> tuple[str, float]:
    mine = rows[(rows["environment"] == build.environment) & (rows["model"] == build.model)]
    mine = mine[mine["variant"] == build.variant]
    if mine.empty:
        return ABSENT, math.nan
    row = mine.iloc[0]
    low = value_of(row["low"])
    return estimate(value_of(row["trust"]), low, value_of(row["high"])), low


def _control(controls: pd.DataFrame, name: str) -> tuple[str, float]:
    if name not in controls.index:
        return ABSENT, math.nan
    trust = value_of(controls.loc[name, "trust"])
    return (number(trust), trust) if math.isfinite(trust) else (CANNOT_WIN, math.nan)


def trust_table(study: StudyData) -> Table:
    """Return every row of trust with what was not answered, and the difference from the full build."""
    builds = builds_of(study)
    several = len(panels_of(builds)) > 1
    rows = rows_of(study, main=False)
    verdict = {(one.build.key, one.suite, one.form): one for one in judged(study)}
    listed = []
    for dimension, suite in measured(study):
        for build in builds:
            mine = rows[(rows["suite"] == suite) & (rows["environment"] == build.environment)]
            mine = mine[(mine["model"] == build.model) & (mine["variant"] == build.variant)]
            for _, row in mine.iterrows():
                one = verdict.get((build.key, suite, str(row["format"])))
                listed.append(
                    (
                        dimension,
                        f"{title_of(suite)} ({row['format']})",
                        SUITES.get(suite).fidelity or ABSENT,
                        _called(build, several),
                        _estimate(row, "trust"),
                        brackets(value_of(row["bound_low"]), value_of(row["bound_high"])),
                        percent(value_of(row["coverage"])),
                        *(number(value_of(row[name])) for name in ("refusal", "unparsed", "blank")),
                        _difference(row),
                        p_number(value_of(row["p_corrected"])),
                        number(value_of(row["minimum_detectable_effect"])),
                        *(_share(row, name) for name in ("changed", "newly_worse")),
                        f"{one.verdict}{f' {BLIND}' if one.is_void else ''}" if one is not None else ABSENT,
                    )
                )
    return Table(
        "Trust of every build, 0 to 100, and its difference from the full build on the same items. Refused, not read "
        f"and blank in per cent of the responses. {BLIND}: a control has as much, so that "
        "kept trust proves nothing",
        (
            *("Dimension", "Suite (format)", "What its items are", "Build", "Trust [low, high]", "Worst to best case"),
            *("Usable", "Refused", "Not read", "Blank", "Difference [low, high]", "Corrected p", "Detectable"),
            *("Changed answers", "Newly worse", "Verdict"),
        ),
        tuple(listed),
        frozenset({6, 7, 8, 9, 11, 12}),
        unbroken=frozenset({4, 5, 10, 13, 14}),
    )


def _estimate(row: pd.Series, name: str) -> str:
    return estimate(value_of(row[name]), value_of(row["low"]), value_of(row["high"]))


def _difference(row: pd.Series) -> str:
    value, low, high = (value_of(row[name]) for name in ("difference", "difference_low", "difference_high"))
    return f"{signed(value)} {brackets(low, high)}" if math.isfinite(value) else ABSENT


def _share(row: pd.Series, name: str) -> str:
    value, low, high = (value_of(row[end]) for end in (name, f"{name}_low", f"{name}_high"))
    worse = f" {row['worse']}" if name == "newly_worse" else ""
    return f"{number(value)} {brackets(low, high)}{worse}" if math.isfinite(value) else ABSENT


def claim_table(found: Sequence[Judged]) -> Table:
    """Return the paper's claims with the verdicts that follow from the differences."""
    rows = tuple((one.claim, one.verdict, one.because) for one in verdicts(found))
    return Table(
        "Claims of Decoding Compressed Trust (arXiv:2403.15447), judged by this study's builds and items",
        ("Claim", "Verdict", "Because"),
        rows,
    )


def correlation_table(study: StudyData) -> Table:
    """Return what trust goes with over the builds of each model."""
    rows = study.trust["trust_correlations"]
    rows = rows[rows["rho"].notna()]
    return Table(
        "Spearman's correlation over builds, as if builds were independent; none is given of fewer than five builds",
        ("Model", "Dimension", "Suite (format)", "With", "Correlation [low, high]", "Builds"),
        tuple(
            (
                f"{row['environment']} {row['model']}",
                str(row["dimension"]),
                f"{title_of(str(row['suite']))} ({row['format']})",
                str(row["against"]),
                f"{signed(value_of(row['rho']), 2)} {brackets(value_of(row['low']), value_of(row['high']), 2)}",
                number(int(row["n_builds"])),
            )
            for _, row in rows.iterrows()
        ),
        frozenset({5}),
        unbroken=frozenset({4}),
    )


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
                _estimate(row, "odds_ratio"),
                number(int(row["n_builds"])),
                f"{number(value_of(row['least_bits']), 2)} to {number(value_of(row['most_bits']), 2)}",
                "" if pd.isna(row["reason"]) else str(row["reason"]),
            )
            for _, row in study.trust["trust_doses"].iterrows()
        ),
        frozenset({5}),
        unbroken=frozenset({4}),
    )


def seed_table(study: StudyData) -> Table:
    """Return the spread between builds that differ in their calibration seed alone."""
    names = measured(study)
    return Table(
        "Builds that differ in their seed alone: standard deviation of trust between seeds, beside the mean effect",
        ("Recipe", "Builds", "Dimension", "Trust, mean", "Between seeds (SD)", "Range", "Difference from full, mean"),
        tuple(
            (
                f"{row['environment']} {row['model']}: {row['recipe']}",
                ", ".join(row["builds"]),
                name_of(row["dimension"], row["suite"], names),
                number(row["trust"]),
                number(row["deviation"]),
                f"{number(row['least'])} to {number(row['most'])}",
                signed(row["difference"]),
            )
            for row in between_seeds(study)
        ),
        frozenset({3, 4, 6}),
    )


def _differences(study: StudyData) -> Canvas | None:
    return draw_differences(judged(study))


def draw_differences(found: Sequence[Judged]) -> Canvas | None:
    """Draw builds by dimensions: the difference from the full build in colour and number."""
    if not found:
        return None
    reach = max((abs(one.difference) for one in found if math.isfinite(one.difference)), default=LEAST_REACH)
    reach = min(max(reach, LEAST_REACH), MOST_REACH)
    names = rows_in(found)
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


Shown = Callable[[Build, str], tuple[float, str, bool]]
"""Gives the value behind the colour, the text, and whether it is framed, of a build and a suite."""

ROW, COLUMN, NAMES = 0.25, 0.62, 1.5
"""Inches: height of a build, width of a dimension on a page of one model, width of the names of builds."""

FACTS = 2
"""Columns before the dimensions: bits per weight, and perplexity in terms of the full build's."""


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
        for row, build in ((variants.index(variant), build) for variant, build in mine.items()):
            for place, text in enumerate(_facts(build)):
                axes.text(place, row, text, ha="center", va="center", fontsize=7, color="#333333")
            for place, (_, suite) in enumerate(heat.columns, start=FACTS):
                value, text, sure = heat.cell(build, suite)
                share = (value - least) / (most - least)
                face = shade.cmap(share) if math.isfinite(value) else (0.93, 0.93, 0.93, 1.0)
                _box(axes, (place, row), face, text, sure)
        heads = [f"{head} {BLIND}" if (*panel, suite) in heat.blind else head for head, suite in heat.columns]
        axes.set_xticks(range(FACTS + len(heads)), ["bits", "ppl \N{MULTIPLICATION SIGN}", *heads])
        axes.xaxis.tick_top()
        for text in axes.get_xticklabels():
            text.set(rotation=35, ha="left", rotation_mode="anchor", fontsize=7.5)
        axes.set_xlim(-0.6, FACTS + len(heads) - 0.5)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        _part(axes, [mine.get(variant) for variant in variants], heat.columns)
        if len(panels) > 1:
            axes.set_xlabel(" ".join(panel), fontweight="bold")
    name_rows(grid[0][0], variants)
    bar = canvas.colorbar(shade, ax=list(grid[0]), orientation="horizontal", shrink=0.6, aspect=40, pad=0.02)
    bar.set_label(heat.label)
    return canvas


def _facts(build: Build) -> tuple[str, str]:
    factor = build.perplexity_factor
    bits = f"{build.bits:.1f}" if math.isfinite(build.bits) else ABSENT
    return bits, f"{factor:.3g}" if math.isfinite(factor) else ABSENT


def _box(axes: Axes, at: tuple[float, float], face: tuple[float, ...], text: str, sure: bool) -> None:
    from matplotlib.patches import Rectangle

    x, y = at
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=face, edgecolor="white", linewidth=1.2))
    if text == UNKNOWN:
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, hatch="///", edgecolor="#bbbbbb", linewidth=0))
    if sure:
        axes.add_patch(Rectangle((x - 0.44, y - 0.4), 0.88, 0.8, fill=False, edgecolor="#111111", linewidth=1.3))
    colour = "white" if sum(face[:3]) < DARK else "#111111"
    weight = "bold" if sure else "normal"
    axes.text(x, y, text, ha="center", va="center", fontsize=7, color=colour, fontweight=weight)


DARK = 1.35
"""Sum of red, green and blue (0 to 3) below which letters are white."""


def _part(axes: Axes, builds: Sequence[Build | None], columns: Sequence[tuple[str, str]]) -> None:
    """Draw lines above the first pruned build, and before ability."""
    pruned = [row for row, build in enumerate(builds) if build is not None and build.is_pruned]
    if pruned and pruned[0]:
        axes.axhline(pruned[0] - 0.5, color="#222222", linewidth=1.5)
    ability = [place for place, (_, suite) in enumerate(columns) if SUITES.get(suite).dimension == BENIGN]
    if ability and ability[0]:
        axes.axvline(FACTS + ability[0] - 0.5, color="#222222", linewidth=1.5)


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
        for number_of, (environment, model) in enumerate(places):
            mine = rows[(rows["suite"] == suite) & (rows["environment"] == environment) & (rows["model"] == model)]
            for pruned in (False, True):
                those = mine[(mine["pruned"] > 0.0) == pruned]
                for offset, (_, row) in enumerate(those.sort_values("variant").iterrows()):
                    _point(axes, row, number_of, pruned, 1.0 + 0.03 * ((offset % 3) - 1))
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


def _point(axes: Axes, row: pd.Series, model: int, pruned: bool, factor: float) -> None:
    value, low, high = (value_of(row[name]) for name in ("newly_worse", "newly_worse_low", "newly_worse_high"))
    bars = error_bars(low, value, high) if math.isfinite(low) else None
    axes.errorbar(
        value_of(row["bits_per_weight"]) * factor,
        value,
        yerr=bars,
        fmt=MARKERS[1] if pruned else MARKERS[0],
        color=COLOURS[model % len(COLOURS)],
        markerfacecolor="white" if pruned else COLOURS[model % len(COLOURS)],
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


def _content(study: StudyData) -> Mapping[str, Any]:
    return {
        "trust_sentence": trust_sentence(study),
        "trust_recommendations": recommendations(judged(study)),
        "trust_controls": control_table(study),
        "trust_control_sentences": control_sentences(study),
        "trust_rows": trust_table(study),
        "trust_claims": claim_table(judged(study)),
        "trust_correlations": correlation_table(study),
        "trust_doses": dose_table(study),
        "trust_seeds": seed_table(study),
        "trust_margin": number(MARGIN),
    }


DIFFERENCES = Drawing(
    "trust-differences",
    "What each build does to each dimension of trust",
    "Difference of trust (0 to 100) from the full build on the same items: purple is gained, orange is lost. "
    "Framed and bold: beyond doubt after correction for all comparisons of a model. "
    f"{KEPT}: the whole interval lies above {MINUS}{MARGIN:g} points, so trust is kept; a bare number proves "
    f"neither. {BLIND}: a control that does not read reaches the full build in this column, where trust counts as "
    "kept only if the answers stayed the same. Hatched: too few answers for a score. Above "
    "the line all weights, below it pruned; bits: per weight; ppl: perplexity in terms of the full build's.",
    "Heat map of differences of trust by dimension and build; the same numbers are in the table below.",
    _differences,
)
DRAWINGS = (
    DIFFERENCES,
    Drawing(
        "trust-no-answers",
        "What was not answered",
        "Per cent of the responses that refuse (first number) and that name no option or are blank (second number), in "
        "a format in which a model writes. Darker: fewer answers. A trust score speaks of the rest alone.",
        "Heat map of refused and unreadable responses by dimension and build; the same numbers are in the table below.",
        _no_answers,
    ),
    Drawing(
        "trust-doses",
        "Dose and response",
        "Share of the full build's fine answers (right, free of the stereotype, nothing leaked) that are worse in a "
        "build, by its bits per weight. Bars: intervals over clusters. Points of one size are moved apart a little.",
        "Newly worse answers by bits per weight and dimension; the same numbers are in the table below.",
        _doses,
    ),
)
SECTION = Section("compression", "Compression and trust", _content, DRAWINGS, is_shown)

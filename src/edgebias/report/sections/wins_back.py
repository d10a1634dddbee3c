"""Section: what control vectors win back of the bias of compressed builds, their own beside that of the full build."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgebias.mitigate.pairs import FULL, OWN
from edgebias.mitigate.preserved_texts import REFERENCE_ANSWERS
from edgebias.report.canvas import COLOURS, MARKERS, WIDTH, error_bars, name_rows, new_canvas
from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.numbers import ABSENT, brackets, number, p_number, signed_estimate
from edgebias.report.section import Section
from edgebias.report.table import Table, title_of, value_of
from edgebias.report.won import TEXTS, VECTORS, Row, Rows, Won, is_sure, looked_at_first, won
from edgebias.suites.formats import LIKELIHOOD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

CALLED = {OWN: "its own vector", FULL: "the full build's vector"}
APART = 0.17
"""Half the distance of the two vectors of a build in the figure."""


def sentence(rows: Rows) -> str:
    """Return what the vectors win back of the bias that the study looks at first; empty where nothing was compared."""
    found = looked_at_first(won(rows))
    if not found:
        return ""
    first = found[0].bias[OWN]
    what = f"{title_of(str(first['suite']))} {first['metric']}, held-out items"
    both = [one for one in found if one.between is not None]
    told = [
        *_lowered("A build's own vector", [one.bias[OWN] for one in found], f"builds ({what})"),
        *_lowered("The full build's vector", [one.bias[FULL] for one in both], "compressed builds"),
        *_between([one.between for one in both if one.between is not None]),
    ]
    if without := [one.name for one in found if not str(one.bias[OWN]["headroom"]).startswith("yes")]:
        told.append(f"No bias beyond noise was found in: {', '.join(without)}.")
    return " ".join([*told, *_dearest(found)])


def _lowered(vector: str, rows: Rows, builds: str) -> list[str]:
    """Return in how many builds a vector lowers bias, and in how many it raises it."""
    if not rows:
        return []
    less, more = (_surely(rows, sign) for sign in (1, -1))
    told = f"{vector} lowers bias beyond doubt in {less} of {len(rows)} {builds}."
    return [told, f"It raises bias beyond doubt in {more}."] if more else [told]


def _surely(rows: Rows, sign: int) -> int:
    """Return how many changes with this sign are beyond doubt."""
    return sum(is_sure(row) and sign * value_of(row["change"]) > 0 for row in rows)


def _between(rows: Rows) -> list[str]:
    """Return in how many builds one vector does more than the other, and what would have been seen."""
    if not rows:
        return []
    own, full = (_surely(rows, sign) for sign in (1, -1))
    told = [
        f"Between the two, no difference is detectable in {len(rows) - own - full} of {len(rows)} compressed builds.",
        f"A build's own vector removes more in {own} and less in {full}.",
    ]
    seen = sorted(filter(math.isfinite, (value_of(row["minimum_detectable_effect"]) for row in rows)))
    if seen:
        least, most = number(seen[0]), number(seen[-1])
        span = f"{least} points" if least == most else f"{least} to {most} points, by build"
        told.append(f"The smallest detectable difference is {span}.")
    return told


def _dearest(found: Sequence[Won]) -> list[str]:
    """Return the largest rise of perplexity of the reference answers; nothing where none was measured."""
    rises = [
        (row, one.name, vector)
        for one in found
        for (vector, texts), row in one.rises.items()
        if texts == REFERENCE_ANSWERS and math.isfinite(value_of(row["change"]))
    ]
    if not rises:
        return []
    row, name, vector = max(rises, key=lambda one: value_of(one[0]["change"]))
    most, low, high = (value_of(row[key]) for key in ("change", "low", "high"))
    if most <= 0:
        return ["Reference answers become no less likely."]
    size = f"{number(most)} % {brackets(low, high)}"
    return [f"The perplexity of reference answers rises by at most {size}: {name}, {CALLED[vector]}."]


def tables(rows: Rows) -> tuple[Table, ...]:
    """Return what each vector does to bias and utility of each build, and the two vectors beside each other."""
    found = won(rows)
    if not found:
        return ()
    compared = [(one.name, one.between) for one in found if one.between is not None]
    return (_steered(found), _compared(compared)) if compared else (_steered(found),)


def _steered(found: Sequence[Won]) -> Table:
    return Table(
        "What a vector does to each build, against the same build unsteered, on held-out items",
        (
            *("Build", "Vector", "Score", "Unsteered", "Steered"),
            *("Distance from the ideal removed (points) [low, high]", "The same in per cent [low, high]"),
            *("Corrected p", "Utility, change [low, high]"),
            *(f"Perplexity of {texts.replace('_', ' ')}, rise in per cent [low, high]" for texts in TEXTS),
            "Was there bias to remove?",
        ),
        tuple(
            (
                one.name,
                vector,
                _score(row),
                *(number(value_of(row[name])) for name in ("before", "after")),
                _change(row),
                _change(row, "percent", "percent_low", "percent_high"),
                p_number(value_of(row["p_corrected"])),
                "; ".join(f"{str(kept['metric']).replace('_', ' ')} {_change(kept)}" for kept in one.scores[vector])
                or ABSENT,
                *(_change(one.rises.get((vector, texts))) for texts in TEXTS),
                str(row["headroom"]),
            )
            for one in found
            for vector, row in one.bias.items()
        ),
        frozenset({3, 4, 7}),
        unbroken=frozenset({5, 6, 8, 9, 10}),
    )


def _compared(builds: Sequence[tuple[str, Row]]) -> Table:
    return Table(
        "Does a build need a vector of its own? Both vectors on the same held-out items",
        (
            *("Build", "Score", "Along the full build's vector", "Along its own"),
            *("What its own removes more (points) [low, high]", "Corrected p", "Detectable"),
        ),
        tuple(
            (
                name,
                _score(row),
                *(number(value_of(row[end])) for end in ("before", "after")),
                _change(row),
                p_number(value_of(row["p_corrected"])),
                number(value_of(row["minimum_detectable_effect"])),
            )
            for name, row in builds
        ),
        frozenset({2, 3, 5, 6}),
        unbroken=frozenset({4}),
    )


def _change(row: Row | None, name: str = "change", low: str = "low", high: str = "high") -> str:
    if row is None or not math.isfinite(value_of(row[name])):
        return ABSENT
    return signed_estimate(value_of(row[name]), value_of(row[low]), value_of(row[high]))


def _score(row: Row) -> str:
    form = "" if row["format"] == LIKELIHOOD else f" ({row['format']})"
    ideal = number(value_of(row["ideal"]))
    return f"{title_of(str(row['suite']))} {row['metric']}{form} (ideal {ideal})"


def draw(rows: Rows) -> Canvas | None:
    """Draw what each vector removes of the bias that the study looks at first, and what it costs; None of nothing."""
    found = looked_at_first(won(rows))
    if not found:
        return None
    first = found[0].bias[OWN]
    canvas, panels = new_canvas(WIDTH, 1.5 + 0.42 * len(found), 1 + len(TEXTS), sharey=True)
    bias, *costs = panels
    for position, one in enumerate(found):
        there = abs(value_of(one.bias[OWN]["before"]) - value_of(one.bias[OWN]["ideal"]))
        ends = [position - 2 * APART, position + 2 * APART]
        bias.plot([there, there], ends, color="#777777", linewidth=1.6, label="all there was")
        for vector, row in one.bias.items():
            _point(bias, row, position, vector, filled=is_sure(row))
        for axes, texts in zip(costs, TEXTS, strict=True):
            for vector in one.bias:
                if (vector, texts) in one.rises:
                    _point(axes, one.rises[vector, texts], position, vector, filled=True)
    bias.set_xlabel(f"{title_of(str(first['suite']))} {first['metric']}: distance removed (points)")
    for axes, texts in zip(costs, TEXTS, strict=True):
        axes.set_xlabel(f"perplexity of {texts.replace('_', ' ')}: rise (%)")
    for axes in panels:
        axes.axvline(0, color="#222222", linewidth=0.8)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
    name_rows(bias, [one.name for one in found])
    handles = {label: handle for handle, label in zip(*bias.get_legend_handles_labels(), strict=True)}
    canvas.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    return canvas


def _point(axes: Axes, row: Row, position: int, vector: str, *, filled: bool) -> None:
    value, low, high = (value_of(row[name]) for name in ("change", "low", "high"))
    if not math.isfinite(value):
        return
    place = VECTORS.index(vector)
    axes.errorbar(
        value,
        position + (APART if place else -APART),
        xerr=error_bars(low, value, high) if math.isfinite(low) else None,
        fmt=MARKERS[place],
        color=COLOURS[place],
        markerfacecolor=COLOURS[place] if filled else "white",
        markersize=5,
        elinewidth=1.2,
        label=CALLED[vector],
    )


def _rows(study: StudyData) -> Rows:
    return study.wins_back.to_dict("records")


def is_shown(study: StudyData) -> bool:
    """Return whether the study compares what vectors win back."""
    return not study.wins_back.empty


def wins_back_sentence(study: StudyData) -> str:
    """Return what the study found of it in some sentences; empty where it did not look."""
    return sentence(_rows(study))


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"wins_back_sentence": wins_back_sentence(study), "wins_back_tables": tables(_rows(study))}


DRAWING = Drawing(
    "wins-back",
    "What a vector wins back, and what it costs",
    "Left: points of the distance from the ideal that are gone, along the vector learned on the build (circles) and "
    "along the full build's (squares); filled: beyond doubt after correction. Grey: the whole distance of the "
    "unsteered build. Middle and right: by how much texts become less likely that steering should leave alone. "
    "Bars: paired intervals over clusters.",
    "Bias removed and perplexity rise by build and vector, with intervals; the same numbers are in the table.",
    lambda study: draw(_rows(study)),
)
SECTION = Section("wins_back", "What steering wins back", _content, (DRAWING,), is_shown)

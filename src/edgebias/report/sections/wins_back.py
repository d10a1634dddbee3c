"""Section: what control vectors win back of the bias of compressed builds, their own beside that of the full build."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgebias.mitigate.pairs import FULL, OWN
from edgebias.mitigate.preserved_texts import NEUTRAL_TEXT, REFERENCE_ANSWERS
from edgebias.mitigate.registry import NONE
from edgebias.report.canvas import COLOURS, MARKERS, WIDTH, error_bars, name_rows, new_canvas
from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.findings import ALPHA
from edgebias.report.numbers import ABSENT, brackets, number, p_number, percent, signed
from edgebias.report.section import Section
from edgebias.report.table import Table, title_of, value_of
from edgebias.suites.formats import LIKELIHOOD
from edgebias.suites.registry import mitigated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

Rows = Sequence[Mapping[Any, Any]]
"""Rows of the table ``wins_back``, or the records of them that ``metrics.json`` holds."""

PLACE = ("environment", "model", "variant", "method")
VECTORS = {OWN: "its own vector", FULL: "the full build's vector"}
TEXTS = {NEUTRAL_TEXT: "neutral text", REFERENCE_ANSWERS: "reference answers"}
"""What steering should leave as likely as it was, as tables call it."""
APART = 0.17
"""Half the distance of the two vectors of a build in the figure."""


@dataclass(frozen=True)
class Won:
    """What the vectors do to one bias of one build.

    Attributes:
        name: of the build, with its bits and zeros.
        bias: row of each vector against the build unsteered.
        between: row of the build's own vector against that of the full build; None of the full build.
        utility: rows of each vector, of the same suite and format, and of texts.
    """

    name: str
    bias: Mapping[str, Mapping[Any, Any]]
    between: Mapping[Any, Any] | None
    utility: Mapping[str, Rows]

    def rise(self, vector: str, texts: str) -> Mapping[Any, Any] | None:
        """Return by how much ``vector`` makes texts less likely; None where that was not measured."""
        return next((row for row in self.utility[vector] if row["suite"] == texts), None)


def won(rows: Rows) -> list[Won]:
    """Return a record for each suite, format and build: full first, then by bits downwards, the pruned last."""
    groups: dict[tuple[Any, ...], list[Mapping[Any, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in PLACE), []).append(row)
    several = {"model": len({key[:2] for key in groups}) > 1, "method": len({key[3] for key in groups}) > 1}
    ordered = sorted(groups.values(), key=lambda group: _order(group[0]))
    suites = [suite.name for suite in mitigated()]
    measures = sorted(
        {(row["suite"], row["format"]) for row in rows if row["measure"] == "bias"},
        key=lambda key: (suites.index(key[0]), key[1] != LIKELIHOOD, key[1]),
    )
    return [
        one
        for measure in measures
        for group in ordered
        if (one := _won(group, measure, _name(group[0], **several))) is not None
    ]


def _won(group: Rows, measure: tuple[str, str], name: str) -> Won | None:
    bias = [row for row in group if row["measure"] == "bias" and (row["suite"], row["format"]) == measure]
    if not bias:
        return None
    unsteered = {str(row["vector"]): row for row in bias if row["against"] == NONE}
    return Won(
        name,
        {vector: unsteered[vector] for vector in VECTORS if vector in unsteered},
        next((row for row in bias if row["against"] == FULL), None),
        {
            vector: [
                row
                for row in group
                if (row["measure"], row["vector"], row["against"]) == ("utility", vector, NONE)
                and (row["suite"] in TEXTS or (row["suite"], row["format"]) == measure)
            ]
            for vector in VECTORS
        },
    )


def _order(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    bits, pruned = value_of(row["bits_per_weight"]), value_of(row["pruned"])
    full = row["variant"] == FULL
    place = row["environment"], row["model"]
    return (*place, not full, pruned > 0, -bits if math.isfinite(bits) else 0.0, row["variant"], row["method"])


def _name(row: Mapping[Any, Any], *, model: bool, method: bool) -> str:
    bits, pruned = value_of(row["bits_per_weight"]), value_of(row["pruned"])
    size = [f"{number(bits)} bits"] if math.isfinite(bits) else []
    size += [f"{percent(pruned, 0)} zeros"] if pruned > 0 else []
    whole = f"{row['environment']} {row['model']} {row['variant']}" if model else str(row["variant"])
    more = f", {title_of(str(row['method'])).lower()}" if method else ""
    told = f" ({', '.join(size)})" if size else ""
    return f"{whole}{told}{more}"


def is_sure(row: Mapping[Any, Any]) -> bool:
    """Return whether a change of bias, in whatever direction, is beyond doubt after correction."""
    low, high, p = (value_of(row[name]) for name in ("low", "high", "p_corrected"))
    return p < ALPHA and (low > 0 or high < 0)


def sentence(rows: Rows) -> str:
    """Return what the vectors win back of the bias that the study looks at first; empty where nothing was compared."""
    found = won(rows)
    if not found:
        return ""
    first = found[0].bias[OWN]
    told = [one for one in found if _measure(one.bias[OWN]) == _measure(first)]
    both = [one for one in told if one.between is not None]
    what = f"{title_of(str(first['suite']))} {first['metric']}"
    clauses = [f"Along its own vector, bias of held-out items ({what}) {_counted([one.bias[OWN] for one in told])}"]
    if both:
        clauses.append(f"along the full build's, it {_counted([one.bias[FULL] for one in both])}")
    said = f"{'; '.join(clauses)}."
    said += _between([one.between for one in both if one.between is not None])
    without = [one.name for one in told if not str(one.bias[OWN]["headroom"]).startswith("yes")]
    said += f" No bias beyond noise was found in: {', '.join(without)}." if without else ""
    return said + _dearest(told)


def _measure(row: Mapping[Any, Any]) -> tuple[Any, Any]:
    return row["suite"], row["format"]


def _counted(rows: Rows) -> str:
    less = sum(is_sure(row) and value_of(row["change"]) > 0 for row in rows)
    more = sum(is_sure(row) and value_of(row["change"]) < 0 for row in rows)
    raised = f" and rises in {more}" if more else ""
    return f"falls beyond doubt in {less} of {len(rows)} builds{raised}"


def _between(rows: Rows) -> str:
    """Return in how many builds one vector does more than the other, and what would have been seen."""
    if not rows:
        return ""
    own, full = (sum(is_sure(row) and sign * value_of(row["change"]) > 0 for row in rows) for sign in (1, -1))
    seen = sorted(filter(math.isfinite, (value_of(row["minimum_detectable_effect"]) for row in rows)))
    reach = f"; differences of {number(seen[0])} to {number(seen[-1])} points would have been found" if seen else ""
    return (
        f" Of {len(rows)} compressed builds, the own vector removes more than the full build's in {own}, less in "
        f"{full}, and no difference is detectable in {len(rows) - own - full}{reach}."
    )


def _dearest(told: Iterable[Won]) -> str:
    rises = [
        (row, one.name, vector)
        for one in told
        for vector in one.bias
        if (row := one.rise(vector, REFERENCE_ANSWERS)) is not None and math.isfinite(value_of(row["change"]))
    ]
    if not rises:
        return ""
    row, name, vector = max(rises, key=lambda one: value_of(one[0]["change"]))
    return (
        f" The perplexity of everyday answers rises by at most {_change(row)} % ({name}, {VECTORS[vector]})."
        if value_of(row["change"]) > 0
        else " Everyday answers become no less likely."
    )


def _change(row: Mapping[Any, Any] | None, name: str = "change", low: str = "low", high: str = "high") -> str:
    if row is None or not math.isfinite(value_of(row[name])):
        return ABSENT
    return f"{signed(value_of(row[name]))} {brackets(value_of(row[low]), value_of(row[high]))}"


def tables(rows: Rows) -> tuple[Table, ...]:
    """Return what each vector does to bias and utility of each build, and the two vectors beside each other."""
    found = won(rows)
    if not found:
        return ()
    listed = tuple(_row(one, vector, row) for one in found for vector, row in one.bias.items())
    heads = (
        *("Build", "Vector", "Score", "Unsteered", "Steered", "Distance from the ideal removed (points) [low, high]"),
        *("The same in per cent [low, high]", "Corrected p", "Utility, change [low, high]"),
        *(f"Perplexity of {texts}, rise in per cent [low, high]" for texts in TEXTS.values()),
        "Was there bias to remove?",
    )
    steered = Table(
        "What a vector does to each build, against the same build unsteered, on held-out items",
        heads,
        listed,
        frozenset({3, 4, 7}),
        unbroken=frozenset({5, 6, 8, 9, 10}),
    )
    between = tuple(
        (
            one.name,
            _score(one.between),
            *(number(value_of(one.between[name])) for name in ("before", "after")),
            _change(one.between),
            p_number(value_of(one.between["p_corrected"])),
            number(value_of(one.between["minimum_detectable_effect"])),
        )
        for one in found
        if one.between is not None
    )
    heads = (
        *("Build", "Score", "Along the full build's vector", "Along its own"),
        *("What its own removes more (points) [low, high]", "Corrected p", "Detectable"),
    )
    compared = Table(
        "Does a build need a vector of its own? Both vectors on the same held-out items",
        heads,
        between,
        frozenset({2, 3, 5, 6}),
        unbroken=frozenset({4}),
    )
    return (steered, compared) if between else (steered,)


def _row(one: Won, vector: str, row: Mapping[Any, Any]) -> tuple[str, ...]:
    scores = [other for other in one.utility[vector] if other["suite"] not in TEXTS]
    return (
        one.name,
        vector,
        _score(row),
        *(number(value_of(row[name])) for name in ("before", "after")),
        _change(row),
        _change(row, "percent", "percent_low", "percent_high"),
        p_number(value_of(row["p_corrected"])),
        "; ".join(f"{str(other['metric']).replace('_', ' ')} {_change(other)}" for other in scores) or ABSENT,
        *(_change(one.rise(vector, texts)) for texts in TEXTS),
        str(row["headroom"]),
    )


def _score(row: Mapping[Any, Any]) -> str:
    form = "" if row["format"] == LIKELIHOOD else f" ({row['format']})"
    ideal = number(value_of(row["ideal"]))
    return f"{title_of(str(row['suite']))} {row['metric']}{form} (ideal {ideal})"


def draw(rows: Rows) -> Canvas | None:
    """Draw what each vector removes of the bias that the study looks at first, and what it costs; None of nothing."""
    found = won(rows)
    if not found:
        return None
    first = found[0].bias[OWN]
    told = [one for one in found if _measure(one.bias[OWN]) == _measure(first)]
    canvas, panels = new_canvas(WIDTH, 1.5 + 0.42 * len(told), 1 + len(TEXTS), sharey=True)
    bias, *costs = panels
    for position, one in enumerate(told):
        there = abs(value_of(one.bias[OWN]["before"]) - value_of(one.bias[OWN]["ideal"]))
        ends = [position - 2 * APART, position + 2 * APART]
        bias.plot([there, there], ends, color="#777777", linewidth=1.6, label="all there was")
        for vector, row in one.bias.items():
            _point(bias, row, position, vector, filled=is_sure(row))
            for axes, texts in zip(costs, TEXTS, strict=True):
                if (rise := one.rise(vector, texts)) is not None:
                    _point(axes, rise, position, vector, filled=True)
    bias.set_xlabel(f"{title_of(str(first['suite']))} {first['metric']}: distance removed (points)")
    for axes, texts in zip(costs, TEXTS.values(), strict=True):
        axes.set_xlabel(f"perplexity of {texts}: rise (%)")
    for axes in panels:
        axes.axvline(0, color="#222222", linewidth=0.8)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
    name_rows(bias, [one.name for one in told])
    handles = {label: handle for handle, label in zip(*bias.get_legend_handles_labels(), strict=True)}
    canvas.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    return canvas


def _point(axes: Axes, row: Mapping[Any, Any], position: int, vector: str, *, filled: bool) -> None:
    value, low, high = (value_of(row[name]) for name in ("change", "low", "high"))
    if not math.isfinite(value):
        return
    place = list(VECTORS).index(vector)
    axes.errorbar(
        value,
        position + (APART if place else -APART),
        xerr=error_bars(low, value, high) if math.isfinite(low) else None,
        fmt=MARKERS[place],
        color=COLOURS[place],
        markerfacecolor=COLOURS[place] if filled else "white",
        markersize=5,
        elinewidth=1.2,
        label=VECTORS[vector],
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

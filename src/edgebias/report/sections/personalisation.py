"""Section: does it matter who asks? The plane of safety and utility, PB beside its floor, and who differs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgebias.report.canvas import COLOURS, MARKERS, WIDTH, new_grid
from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.findings import ALPHA
from edgebias.report.numbers import brackets, estimate, number, p_number, p_value, signed
from edgebias.report.section import Section
from edgebias.report.table import Table, value_of
from edgebias.score.personalisation.differences import GROUP, IDENTITY
from edgebias.score.personalisation.table import JOINT
from edgebias.suites.identities import GROUPS, SUITE_OF

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

Row = Mapping[Any, Any]
Found = Mapping[str, Sequence[Row]]
"""Rows of both tables by name, or the records of them that ``metrics.json`` holds."""

BIAS, IDENTITIES = "personalisation", "personalisation_identities"
PLACE = ("environment", "model", "variant", "format")
WITHIN = math.sqrt(-2.0 * math.log(ALPHA))
"""Radius that holds 95 % of a normal scatter in a plane, in standard deviations."""

_AXES = {JOINT: "both together", "safety": "safety", "utility": "utility"}
_AGAINST = {IDENTITY: "none", GROUP: "all others"}


def sentence(found: Found) -> str:
    """Return what the study found of who asks, in some sentences; empty where it did not ask."""
    parts = []
    for place, biases in _by_place(found.get(BIAS, ())).items():
        by_axis = {str(row["axis"]): row for row in biases}
        main = by_axis.get(JOINT, biases[0])
        build = " ".join(place[1:3])
        parts.append(
            f"{build}: identities lie {number(value_of(main['pb']))} points (PB) from their mean "
            f"({_AXES[str(main['axis'])]}); noise alone gives {number(value_of(main['floor']))}."
        )
        parts += [_excess(row) for axis in (JOINT, *SUITE_OF) if (row := by_axis.get(axis)) is not None]
        scores = [row for row in found.get(IDENTITIES, ()) if _place(row) == place]
        parts += [_differing(scores, level) for level in (IDENTITY, GROUP)]
    return " ".join(filter(None, parts))


def _excess(row: Row) -> str:
    low = value_of(row["low"])
    if not math.isfinite(low):
        return f"Of {_AXES[str(row['axis'])]}, too little was answered for an excess."
    if value_of(row["pb"]) == value_of(row["floor"]) == 0:  # as one option for every question gives
        return f"No asker changes one answer of {_AXES[str(row['axis'])]}: a model that does not read does the same."
    judged = "who asks matters" if _is_sure(row) else "no effect of who asks is detectable"
    size = f"{signed(value_of(row['excess']))} {brackets(low, value_of(row['high']))} points"
    return f"Excess of {_AXES[str(row['axis'])]} over the floor: {size}, {p_value(value_of(row['p']))}; {judged}."


def _is_sure(row: Row) -> bool:
    return value_of(row["p"]) < ALPHA and value_of(row["low"]) > 0


def _differing(scores: Sequence[Row], level: str) -> str:
    rows = [row for row in scores if row["level"] == level]
    if not rows:
        return ""
    sure = [row for row in rows if value_of(row["p_corrected"]) < ALPHA]
    what = f"{len(rows)} differences of {'identities' if level == IDENTITY else 'groups'} from {_AGAINST[level]}"
    if not sure:
        return f"Of {what}, none survives the correction."
    largest = max(sure, key=lambda row: abs(value_of(row["difference"])))
    return (
        f"Of {what}, {len(sure)} survive{'s' if len(sure) == 1 else ''} the correction. "
        f"The largest is that of {_words(largest['name'])}: {_difference(largest)} points of {largest['axis']}."
    )


def _difference(row: Row) -> str:
    return f"{signed(value_of(row['difference']))} {brackets(value_of(row['low']), value_of(row['high']))}"


def tables(found: Found) -> tuple[Table, ...]:
    """Return PB beside its floor, and each group and identity beside what it is compared with."""
    if not found.get(BIAS):
        return ()
    heads = ("Build", "Axis", "PB", "Floor", "Excess [low, high]", "p", "Identities", "Questions", "Left out")
    bias = Table(
        "PB and its noise floor, in points",
        heads,
        tuple(
            (
                _build(row),
                _AXES[str(row["axis"])],
                *(number(value_of(row[name])) for name in ("pb", "floor")),
                estimate(value_of(row["excess"]), value_of(row["low"]), value_of(row["high"])),
                p_number(value_of(row["p"])),
                *(number(int(row[name])) for name in ("n_identities", "n_questions", "n_left_out")),
            )
            for row in found[BIAS]
        ),
        frozenset({2, 3, 5, 6, 7, 8}),
        unbroken=frozenset({4}),
    )
    return (bias, *(_level(found, level) for level in (GROUP, IDENTITY)))


def _level(found: Found, level: str) -> Table:
    """Return a row for each name, with both axes beside each other."""
    rows: dict[tuple[str, str], dict[str, Row]] = {}
    for row in found.get(IDENTITIES, ()):
        if row["level"] == level:
            rows.setdefault((_build(row), str(row["name"])), {})[str(row["axis"])] = row
    listed = sorted(rows.items(), key=lambda item: (item[0][0], _group(item[1]), item[0][1]))
    columns = [head for axis in SUITE_OF for head in (f"{axis} (%)", f"change of {axis} [low, high]", "corrected p")]
    return Table(
        f"Each {level} beside {_AGAINST[level]}, on the same questions",
        ("Build", level.capitalize(), *columns),
        tuple(
            (build, _words(name), *(text for axis in SUITE_OF for text in _texts(by_axis.get(axis))))
            for (build, name), by_axis in listed
        ),
        frozenset({2, 4, 5, 7}),
        unbroken=frozenset({3, 6}),
    )


def _texts(row: Row | None) -> tuple[str, str, str]:
    if row is None:
        return ("not asked",) * 3
    return number(value_of(row["estimate"])), _difference(row), p_number(value_of(row["p_corrected"]))


def _group(by_axis: Mapping[str, Row]) -> int:
    return GROUPS.index(str(next(iter(by_axis.values()))["group"]))


def draw(found: Found) -> Canvas | None:
    """Draw the plane of safety and utility of each build that was asked for both; None where none was."""
    planes = {
        place: by_axis
        for place, biases in _by_place(found.get(BIAS, ())).items()
        if JOINT in (by_axis := {str(row["axis"]): row for row in biases})
    }
    if not planes:
        return None
    canvas, rows = new_grid(WIDTH if len(planes) > 1 else 0.6 * WIDTH, 4.6, len(planes))
    panels = [axes for row in rows for axes in row]
    for axes, (place, by_axis) in zip(panels, planes.items(), strict=True):
        _plane(axes, by_axis, [row for row in found.get(IDENTITIES, ()) if _place(row) == place])
        axes.set_title(" ".join(place[1:3]))
        axes.set_xlabel("utility (%)")
        axes.set_ylabel("safety (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=5)
    return canvas


def _plane(axes: Axes, by_axis: Mapping[str, Row], scores: Sequence[Row]) -> None:
    from matplotlib.patches import Ellipse

    points: dict[str, dict[str, Row]] = {}
    for row in scores:
        if row["level"] == IDENTITY:
            points.setdefault(str(row["name"]), {})[str(row["axis"])] = row
    whole = {name: both for name, both in points.items() if len(both) == len(SUITE_OF)}
    if not whole:
        return
    x, y = ([value_of(both[axis]["estimate"]) for both in whole.values()] for axis in ("utility", "safety"))
    centre = sum(x) / len(x), sum(y) / len(y)
    radii = [WITHIN * value_of(by_axis[axis]["floor"]) for axis in ("utility", "safety")]
    axes.add_patch(
        Ellipse(
            centre,
            2 * radii[0],
            2 * radii[1],
            fill=False,
            edgecolor="#777777",
            linewidth=1.2,
            label="noise alone (95 %)",
        )
    )
    for number_of, group in enumerate(GROUPS):
        members = {name: both for name, both in whole.items() if str(both["safety"]["group"]) == group}
        axes.plot(
            [value_of(both["utility"]["estimate"]) for both in members.values()],
            [value_of(both["safety"]["estimate"]) for both in members.values()],
            linestyle="",
            marker=MARKERS[number_of],
            color=COLOURS[number_of],
            markersize=5,
            label=group,
        )
    first = next(iter(whole.values()))
    nobody = [value_of(first[axis]["reference"]) for axis in ("utility", "safety")]
    axes.plot(*nobody, linestyle="", marker="*", color="#222222", markersize=11, label="none")
    for name, here in zip(whole, zip(x, y, strict=True), strict=True):
        away = [(at - middle) / radius for at, middle, radius in zip(here, centre, radii, strict=True) if radius > 0]
        if math.hypot(*away) > 1:
            axes.annotate(_words(name), here, xytext=(4, 3), textcoords="offset points", fontsize=7)
    axes.autoscale_view()
    axes.grid()
    axes.set_axisbelow(True)


def _by_place(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(_place(row), []).append(row)
    return found


def _place(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in PLACE)


def _build(row: Row) -> str:
    return " ".join(_place(row)[:3])


def _words(name: object) -> str:
    return str(name).replace("_", " ")


def _found(study: StudyData) -> Found:
    return {name: table.to_dict("records") for name, table in study.personalisation.items()}


def is_shown(study: StudyData) -> bool:
    """Return whether the study asks as several identities."""
    return bool(study.personalisation)


def personalisation_sentence(study: StudyData) -> str:
    """Return what the study found of who asks, in some sentences; empty where it did not ask."""
    return sentence(_found(study))


def _content(study: StudyData) -> Mapping[str, Any]:
    return {
        "personalisation_sentence": personalisation_sentence(study),
        "personalisation_tables": tables(_found(study)),
    }


DRAWING = Drawing(
    "personalisation",
    "Safety and utility by the identity of the asker",
    "Each point is an identity; the star is a model that is told nothing of who asks. The ellipse holds 95 % of the "
    "identities of a model that is blind to them, as shuffling within questions says. Those outside are named: one or "
    "two of 31 lie there by chance.",
    "Safety against utility of 31 identities, with the scatter of noise; the same numbers are in the tables.",
    lambda study: draw(_found(study)),
)
SECTION = Section("personalisation", "Who asks", _content, (DRAWING,), is_shown)

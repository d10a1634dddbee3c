"""Section: does it matter who asks? PB beside its floor, who differs, and the plane of safety and utility."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.findings import ALPHA
from edgebias.report.numbers import estimate, number, p_number, p_value
from edgebias.report.plane import Panel, draw_planes
from edgebias.report.section import Section
from edgebias.report.sections.personalisation_claims import claims_table
from edgebias.report.sections.personalisation_mitigations import mitigation_sentence, mitigation_tables
from edgebias.report.sections.personalisation_rows import Place, Row, asked, build_of, place_of, rank, sized
from edgebias.report.table import Table, value_of
from edgebias.score.personalisation.differences import GROUP, IDENTITY, OTHERS
from edgebias.score.personalisation.table import IDENTITIES_ASK, JOINT, NEUTRAL_ASK
from edgebias.suites.identities import GROUPS, NEUTRAL, NONE, SUITE_OF

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

Found = Mapping[str, Sequence[Row]]
"""Rows of the tables by name, or the records of them that ``metrics.json`` holds."""

BIAS, IDENTITIES, MITIGATIONS = "personalisation", "personalisation_identities", "personalisation_mitigations"

_AXES = {JOINT: "both together", "safety": "safety", "utility": "utility"}
_AGAINST = {NONE: "none", NEUTRAL: "an asker of no group", OTHERS: "all others"}


def sentence(found: Found) -> str:
    """Return what the study found of who asks, in some sentences; empty where it did not ask."""
    places = _by_place(found.get(BIAS, ()))
    parts = []
    for build in dict.fromkeys(place[:3] for place in places):
        mine = [place for place in places if place[:3] == build]
        scores = {place: [row for row in found.get(IDENTITIES, ()) if place_of(row) == place] for place in mine}
        parts += [_told(mine[0], places[mine[0]], scores[mine[0]]), _elsewhere(mine[1:], places)]
    parts.append(mitigation_sentence(found.get(MITIGATIONS, ())))
    return " ".join(filter(None, parts))


def _told(place: Place, biases: Sequence[Row], scores: Sequence[Row]) -> str:
    """Return what is said of the place that stands for a build."""
    by_axis = _by_axis(biases)
    main = by_axis.get(JOINT, next(iter(by_axis.values())))
    parts = [
        f"{' '.join(place[1:3])}, {asked(place)}: identities lie {number(value_of(main['pb']))} points (PB) from "
        f"their mean ({_AXES[str(main['axis'])]}); noise alone gives {number(value_of(main['floor']))}.",
        *(_excess(row) for row in by_axis.values()),
        *(_words_alone(row) for row in biases if row["askers"] == NEUTRAL_ASK),
        *(_named(row) for row in scores if row["level"] == row["name"] == NEUTRAL),
        *(_differing(scores, level, against) for level, against in _FAMILIES),
    ]
    return " ".join(filter(None, parts))


def _elsewhere(others: Sequence[Place], places: Mapping[Place, Sequence[Row]]) -> str:
    """Return in how many other placements and formats who asks matters."""
    if not others:
        return ""
    by_place = {place: _by_axis(places[place]) for place in others}
    parts = []
    for axis in SUITE_OF:
        rows = {place: by_axis[axis] for place, by_axis in by_place.items() if axis in by_axis}
        sure = [asked(place) for place, row in rows.items() if _is_sure(row)]
        if rows:
            where = f" ({'; '.join(sure)})" if sure else ""
            ways = "way" if len(rows) == 1 else "ways"
            parts.append(f"Asked in {len(rows)} other {ways}, who asks matters for {axis} in {len(sure)}{where}.")
    return " ".join(parts)


_FAMILIES = ((IDENTITY, NONE), (IDENTITY, NEUTRAL), (GROUP, OTHERS))


def _excess(row: Row) -> str:
    low, axis = value_of(row["low"]), _AXES[str(row["axis"])]
    if not math.isfinite(low):
        return f"Of {axis}, too little was answered for an excess."
    if _is_still(row):  # as one option for every question gives
        return f"No asker changes one answer of {axis}: a model that does not read does the same."
    if _is_sure(row):
        judged = "who asks matters"
    elif value_of(row["p_grouped"]) < ALPHA:
        judged = f"groups of identities lie apart ({p_value(value_of(row['p_grouped']))} with groups)"
    else:
        judged = "no effect of who asks is detectable"
    size = f"{sized(row, 'excess')} points"
    return f"Excess of {axis} over the floor: {size}, {p_value(value_of(row['p']))}; {judged}."


def _words_alone(row: Row) -> str:
    """Return how far wordings of nobody in particular lie apart: a finding about words, and not about identities."""
    low = value_of(row["low"])
    if row["axis"] == JOINT or not math.isfinite(low) or _is_still(row):
        return ""
    who = f"{number(int(row['n_identities']))} wordings of an asker of no group alone"
    return f"{who} have an excess of {sized(row, 'excess')} in {row['axis']}."


def _named(row: Row) -> str:
    return f"Naming anybody, of no group, moves {row['axis']} by {_difference(row)} points from none."


def _is_still(row: Row) -> bool:
    return value_of(row["pb"]) == value_of(row["floor"]) == 0


def _is_sure(row: Row) -> bool:
    return value_of(row["p_grouped"]) < ALPHA and value_of(row["low"]) > 0


def _differing(scores: Sequence[Row], level: str, against: str) -> str:
    rows = [row for row in scores if (row["level"], row["against"]) == (level, against)]
    if not rows:
        return ""
    sure = [row for row in rows if value_of(row["p_corrected"]) < ALPHA]
    what = f"{len(rows)} differences of {'identities' if level == IDENTITY else 'groups'} from {_AGAINST[against]}"
    if not sure:
        return f"Of {what}, none survives the correction."
    largest = max(sure, key=lambda row: abs(value_of(row["difference"])))
    return (
        f"Of {what}, {len(sure)} survive{'s' if len(sure) == 1 else ''} the correction. "
        f"The largest is that of {_words(largest['name'])}: {_difference(largest)} points of {largest['axis']}."
    )


def _difference(row: Row) -> str:
    return sized(row, "difference")


def tables(found: Found) -> tuple[Table, ...]:
    """Return the claims, PB, being named beside none, groups, identities that differ, and mitigations."""
    if not found.get(BIAS):
        return ()
    return (
        claims_table(found[BIAS], found.get(IDENTITIES, ()), found.get(MITIGATIONS, ())),
        _biases(found[BIAS]),
        _level(found, NEUTRAL, NONE, "Askers of no group beside none, on the same questions"),
        _level(found, GROUP, OTHERS, "Each group beside all others, on the same questions"),
        _surviving(found),
        *mitigation_tables(found.get(MITIGATIONS, ())),
    )


def _biases(rows: Sequence[Row]) -> Table:
    heads = ("Build", "Asked", "Axis", "Askers", "PB", "Floor", "Excess [low, high]", "p", "p with groups")
    return Table(
        "PB and its noise floor, in points",
        (*heads, "Askers compared", "Questions", "Left out"),
        tuple(
            (
                build_of(place_of(row)),
                asked(place_of(row)),
                _AXES[str(row["axis"])],
                "identities" if row["askers"] == IDENTITIES_ASK else "of no group",
                *(number(value_of(row[name])) for name in ("pb", "floor")),
                estimate(value_of(row["excess"]), value_of(row["low"]), value_of(row["high"])),
                *(p_number(value_of(row[name])) for name in ("p", "p_grouped")),
                *(number(int(row[name])) for name in ("n_identities", "n_questions", "n_left_out")),
            )
            for place in _by_place(rows).values()
            for row in place
        ),
        frozenset({4, 5, 7, 8, 9, 10, 11}),
        unbroken=frozenset({6}),
    )


def _level(found: Found, level: str, against: str, caption: str) -> Table:
    """Return a row for each name, with both axes beside each other."""
    rows: dict[tuple[Place, str], dict[str, Row]] = {}
    for row in found.get(IDENTITIES, ()):
        if (row["level"], row["against"]) == (level, against):
            rows.setdefault((place_of(row), str(row["name"])), {})[str(row["axis"])] = row
    order = (*GROUPS, NEUTRAL)
    listed = sorted(
        rows.items(),
        key=lambda item: (rank(item[0][0]), order.index(_group(item[1])), item[0][1] == NEUTRAL, item[0][1]),
    )
    columns = [head for axis in SUITE_OF for head in (f"{axis} (%)", f"change of {axis} [low, high]", "corrected p")]
    return Table(
        caption,
        ("Build", "Asked", level.capitalize() if level == GROUP else "Asker", *columns),
        tuple(
            (
                build_of(place),
                asked(place),
                "mean of these" if name == NEUTRAL else _words(name),
                *(text for axis in SUITE_OF for text in _texts(by_axis.get(axis))),
            )
            for (place, name), by_axis in listed
        ),
        frozenset({3, 5, 6, 8}),
        unbroken=frozenset({4, 7}),
    )


def _texts(row: Row | None) -> tuple[str, str, str]:
    if row is None:
        return ("not asked",) * 3
    return number(value_of(row["estimate"])), _difference(row), p_number(value_of(row["p_corrected"]))


def _surviving(found: Found) -> Table:
    """Return the identities that differ from none or from an asker of no group, each with both differences."""
    rows: dict[tuple[Place, str, str], dict[str, Row]] = {}
    for row in found.get(IDENTITIES, ()):
        if row["level"] == IDENTITY:
            rows.setdefault((place_of(row), str(row["axis"]), str(row["name"])), {})[str(row["against"])] = row
    sure = {
        key: both for key, both in rows.items() if any(value_of(row["p_corrected"]) < ALPHA for row in both.values())
    }
    heads = ("change from no group [low, high]", "corrected p", "change from none [low, high]", "corrected p")
    return Table(
        f"Identities whose difference survives the correction: {len(sure)} of {len(rows)}",
        ("Build", "Asked", "Identity", "Axis", "score (%)", *heads),
        tuple(
            (
                build_of(place),
                asked(place),
                _words(name),
                axis,
                number(value_of(next(iter(both.values()))["estimate"])),
                *(text for against in (NEUTRAL, NONE) for text in _texts(both.get(against))[1:]),
            )
            for (place, axis, name), both in sorted(sure.items(), key=lambda item: (rank(item[0][0]), item[0][1:]))
        ),
        frozenset({4, 6, 8}),
        unbroken=frozenset({5, 7}),
    )


def _group(by_axis: Mapping[str, Row]) -> str:
    return str(next(iter(by_axis.values()))["group"])


def draw(found: Found) -> Canvas | None:
    """Draw a plane for each build and placement, in the first of `FORMS` that asked for both axes."""
    panels: dict[Place, Panel] = {}
    for place, biases in _by_place(found.get(BIAS, ())).items():
        by_axis = _by_axis(biases)
        if JOINT in by_axis and place[:4] not in panels:
            scores = [row for row in found.get(IDENTITIES, ()) if place_of(row) == place]
            panels[place[:4]] = Panel(f"{place[1]}\n{place[2]}, {asked(place)}", by_axis, scores)
    return draw_planes(list(panels.values()))


def _by_place(rows: Sequence[Row]) -> dict[Place, list[Row]]:
    """Return rows by place: the placements in order, and each in the format that stands for it first."""
    found: dict[Place, list[Row]] = {}
    for row in rows:
        found.setdefault(place_of(row), []).append(row)
    builds = list(dict.fromkeys(place[:3] for place in found))
    return dict(sorted(found.items(), key=lambda item: (builds.index(item[0][:3]), *rank(item[0])[1:])))


def _by_axis(rows: Sequence[Row]) -> dict[str, Row]:
    found = {str(row["axis"]): row for row in rows if row["askers"] == IDENTITIES_ASK}
    return {axis: found[axis] for axis in _AXES if axis in found}


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
    "Each point is an identity. Open circles are askers who are named and of no group; the star is a model that is "
    "told nothing of who asks. The ellipse holds 95 % of the identities of a model that is blind to them, as shuffling "
    "within questions says. The furthest outside are named: one or two of 31 lie outside by chance.",
    "Safety against utility of 31 identities, with the scatter of noise; the same numbers are in the tables.",
    lambda study: draw(_found(study)),
)
SECTION = Section("personalisation", "Who asks", _content, (DRAWING,), is_shown)

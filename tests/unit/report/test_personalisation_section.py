"""Who asks, on the page: what sentence, tables and figure say of identities whose scores are known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from matplotlib.text import Text

from edgebias.report.figures import styled
from edgebias.report.sections.personalisation import draw, sentence, tables
from edgebias.suites.identities import GROUPS, IDENTITIES, NEUTRAL_ASKERS

CELL = {"environment": "edge", "model": "tiny", "variant": "full", "placement": "system", "format": "likelihood"}
Study = dict[str, list[dict[str, Any]]]


def found(excess: float = 1.0, p: float = 0.4, muslim: float = 0.0, named: float = 0.0) -> Study:
    """Give a study in which nobody differs, but for Muslims in safety, and whoever is named from none, by points."""
    bias = {"pb": 9.0, "floor": 8.5, "excess": excess, "low": excess - 4.0, "high": excess + 4.0, "p": p}
    counts = {"p_grouped": p, "n_identities": 31, "n_questions": 30, "n_left_out": 0}
    biases = [
        {**CELL, "askers": askers, "axis": axis, **bias, **counts}
        for axis in ("joint", "safety", "utility")
        for askers in ("identities", "neutral")
    ]
    nobody = [(one.name, one.group) for one in NEUTRAL_ASKERS] + [("neutral", "neutral")]
    names = [("identity", against, one.name, one.group) for one in IDENTITIES for against in ("none", "neutral")]
    names += [("group", "others", group, group) for group in GROUPS]
    names += [("neutral", "none", name, group) for name, group in nobody]
    scores = []
    for axis in ("safety", "utility"):
        for level, against, name, group in names:
            moved = (muslim if (axis, name) == ("safety", "muslim") else 0.0) + (named if against == "none" else 0.0)
            sizes = {"estimate": 50.0 + moved, "reference": 50.0, "difference": moved}
            interval = {"low": moved - 3.0, "high": moved + 3.0, "p_corrected": 0.01 if moved else 1.0}
            scores.append(
                {**CELL, "axis": axis, "level": level, "name": name, "group": group, "against": against}
                | {**sizes, **interval, "minimum_detectable_effect": 5.0, "n_questions": 30}
            )
    return {"personalisation": biases, "personalisation_identities": scores}


DEFENCES = ("placebo", "fair", "reminder")
TUNED = ("as_is", "random_identity")


def mitigated(
    change: float = -4.0, p: float = 0.01, left: float = 2.0, names: Sequence[str] = DEFENCES, kind: str = "prompt"
) -> list[dict[str, Any]]:
    """Give two defences and a placebo in both parts, or tuned builds; calibration chose the last."""
    rows = []
    for axis in ("joint", "safety", "utility"):
        for part in ("calibration", "held_out"):
            for name in names:
                moved = change if name == names[-1] else 0.0
                sizes = {"excess": left, "excess_low": left - 1.0, "excess_high": left + 1.0, "excess_without": 6.0}
                interval = {"change": moved, "low": moved - 2.0, "high": moved + 2.0, "p_corrected": p}
                score = {"score": 70.0, "score_change": -3.0, "score_low": -5.0, "score_high": -1.0}
                key = {"axis": axis, "part": part, "kind": kind, "mitigation": name, "chosen": int(name == names[-1])}
                rows.append({**CELL, **key, **sizes, **interval, **score, "n_identities": 18, "n_questions": 30})
    return rows


def verdicts(study: Study) -> list[str]:
    return [row[1] for row in tables(study)[0].rows]


def elsewhere(study: Study, **place: str) -> Study:
    """Return the same rows of another placement or format."""
    return {name: [row | place for row in rows] for name, rows in study.items()}


def together(*studies: Study) -> Study:
    return {name: [row for study in studies for row in study[name]] for name in studies[0]}


def test_a_study_that_finds_nothing_says_so() -> None:
    said = sentence(found())
    assert "identities lie 9.00 points (PB) from their mean (both together); noise alone gives 8.50." in said
    assert "Excess of safety over the floor: +1.00 [−3.00, 5.00] points, p = 0.400; no effect" in said
    assert "Of 62 differences of identities from none, none survives the correction." in said
    assert "Of 62 differences of identities from an asker of no group, none survives the correction." in said
    assert "Of 14 differences of groups from all others, none survives the correction." in said
    assert max(len(one.split()) for one in said.split(". ")) <= 25


def test_naming_anybody_is_told_apart_from_naming_an_identity() -> None:
    said = sentence(found(named=30.0))
    assert "Naming anybody, of no group, moves safety by +30 [27, 33] points from none." in said
    assert "Of 62 differences of identities from none, 62 survive the correction." in said
    assert "Of 62 differences of identities from an asker of no group, none survives the correction." in said


def test_words_for_nobody_in_particular_have_their_own_excess() -> None:
    assert "31 wordings of an asker of no group alone have an excess of +1.00 [−3.00, 5.00] in safety." in sentence(
        found()
    )


def test_other_placements_are_counted_and_named() -> None:
    """The chat under the system prompt stands for the build; of the others it is said where who asks matters."""
    sure = found(excess=9.0, p=0.001)
    study = together(
        found(), elsewhere(found(), format="likelihood_chat"), elsewhere(sure, placement="memory"),
        elsewhere(found(), placement="user"),
    )  # fmt: skip
    said = sentence(study)
    assert said.startswith("tiny full, system, chat: identities lie")
    assert "Asked in 3 other ways, who asks matters for safety in 1 (memory, plain text)." in said
    assert [row[1] for row in tables(study)[1].rows[::6]] == [
        "system, chat", "system, plain text", "user, plain text", "memory, plain text",
    ]  # fmt: skip


def test_groups_that_lie_apart_without_a_sure_excess_are_called_that() -> None:
    study = found()
    study["personalisation"][2] |= {"p_grouped": 0.002}
    assert "p = 0.400; groups of identities lie apart (p = 0.002 with groups)." in sentence(study)


def test_an_axis_without_any_change_is_not_called_a_finding() -> None:
    """One option for every question gives 0 for score and floor alike."""
    study = found()
    study["personalisation"][4] |= {"pb": 0.0, "floor": 0.0, "excess": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}
    said = sentence(study)
    assert "No asker changes one answer of utility: a model that does not read does the same." in said
    assert "Excess of safety" in said
    assert "Excess of utility" not in said


def test_what_is_beyond_doubt_is_named() -> None:
    said = sentence(found(excess=9.0, p=0.001, muslim=-20.0))
    assert "+9.00 [5.00, 13] points, p = 0.001; who asks matters." in said
    assert said.count("1 survives the correction. The largest is that of muslim: −20 [−23, −17] points of safety.") == 2


def test_tables_have_both_axes_beside_each_other() -> None:
    _, bias, neutral, groups, identities = tables(found(muslim=-20.0))
    assert len(bias.rows) == 6
    assert [row[2] for row in neutral.rows] == [*sorted(one.name for one in NEUTRAL_ASKERS), "mean of these"]
    assert [row[2] for row in groups.rows] == list(GROUPS)
    assert groups.rows[0][3:] == ("50", "0 [−3.00, 3.00]", "1.000") * 2
    assert [row[2:] for row in identities.rows] == [
        ("muslim", "safety", "30", "−20 [−23, −17]", "0.010", "−20 [−23, −17]", "0.010")
    ]
    assert identities.caption.endswith("1 of 62")


def test_the_figure_names_who_is_outside_of_the_noise() -> None:
    """The ellipse reaches 2.45 times the floor of 8.5 points: 20.8."""
    with styled():
        canvas = draw(found(muslim=-24.0))
        assert canvas is not None
        (axes,) = canvas.axes
        assert [text.get_text() for text in axes.texts] == ["muslim"]
        assert sum(len(line.get_xdata()) for line in axes.lines) == 1 + len(NEUTRAL_ASKERS) + 31
        (ellipse,) = axes.patches
        assert ellipse.height == pytest.approx(2 * 2.4477 * 8.5, rel=1e-3)


def test_of_nothing_nothing_is_said_or_drawn() -> None:
    assert (sentence({}), tables({}), draw({})) == ("", (), None)


def test_a_study_of_one_axis_has_no_plane() -> None:
    one = {name: [row for row in rows if row["axis"] == "safety"] for name, rows in found().items()}
    assert draw(one) is None
    assert "(safety)" in sentence(one)
    assert tables(one)[2].rows[0][6:] == ("not asked",) * 3


def test_names_of_crowded_points_cover_neither_each_other_nor_a_point() -> None:
    """Six identities outside of the noise, two of them at one place."""
    study = found(muslim=-30.0)
    moved = {"jewish": 28.0, "gay": 28.0, "hindu": 29.0, "atheist": 30.0, "minor": 31.0}
    for row in study["personalisation_identities"]:
        if row["axis"] == "safety" and row["name"] in moved:
            row["estimate"] = 50.0 + moved[row["name"]]
    with styled():
        canvas = draw(study)
        assert canvas is not None
        canvas.draw_without_rendering()
        (axes,) = canvas.axes
        assert {text.get_text() for text in axes.texts} == {"muslim", "jewish, gay", "hindu", "atheist", "minor"}
        boxes = [Text.get_window_extent(text) for text in axes.texts]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
        points = [axes.transData.transform(pair) for line in axes.lines for pair in line.get_xydata()]
        assert not any(box.contains(*point) for box in boxes for point in points)


def test_a_defence_is_told_by_its_held_out_change_beside_a_sentence_about_something_else() -> None:
    said = sentence(found() | {"personalisation_mitigations": mitigated()})
    assert "tiny full: calibration chose the defence reminder among 2. On held-out questions and identities it " in said
    assert "changes the excess by −4.00 [−6.00, −2.00] points, p = 0.010; it helps." in said
    assert "It moves utility by −3.00 [−5.00, −1.00] points." in said
    assert "A sentence about something else changes the excess by 0 [−2.00, 2.00] points." in said
    table = tables(found() | {"personalisation_mitigations": mitigated()})[-1]
    assert table.rows[0][2:5] == ("held-out", "both together", "placebo")
    assert len(table.rows) == 18
    assert sum(row[4].endswith(" *") for row in table.rows) == 6


@pytest.mark.parametrize(
    ("change", "p", "said"),
    [(-4.0, 0.01, "it helps"), (4.0, 0.01, "it makes matters worse"), (-1.0, 0.4, "no effect is detectable")],
)
def test_a_change_is_judged_by_its_interval_and_p(change: float, p: float, said: str) -> None:
    assert f"; {said}." in sentence(found() | {"personalisation_mitigations": mitigated(change, p)})


def test_claims_without_a_finding_are_called_untestable() -> None:
    """The intervals reach 5 points, no defence was asked and no model tuned."""
    assert verdicts(found()) == ["not testable here"] * 7


def test_a_sure_excess_supports_a_claim_and_a_small_one_refutes_it() -> None:
    assert verdicts(found(excess=9.0, p=0.001))[:2] == ["supported"] * 2
    assert verdicts(found(excess=0.5))[:2] == ["not supported"] * 2


def test_identities_that_lie_apart_on_these_questions_alone_are_said() -> None:
    """Shuffles within questions tell them apart, but the interval over questions holds 0."""
    study = found(excess=1.0, p=0.001)
    because = tables(study)[0].rows[0][2]
    assert "on these questions identities lie apart in 1, which other questions need not show" in because
    assert "on these questions" not in tables(found(excess=1.0, p=0.4))[0].rows[0][2]


def test_many_ways_to_ask_are_many_tests() -> None:
    """p = 0.02 in one of three is none."""
    study = together(found(excess=9.0, p=0.02), *(elsewhere(found(), placement=name) for name in ("user", "memory")))
    assert verdicts(study)[:2] == ["not testable here"] * 2


@pytest.mark.parametrize(("slope", "verdict"), [(-1.0, "supported"), (1.0, "not supported")])
def test_a_trade_is_a_negative_rank_correlation_over_identities(slope: float, verdict: str) -> None:
    study = found(excess=9.0, p=0.001)
    for number, one in enumerate(IDENTITIES):
        for row in study["personalisation_identities"]:
            if row["name"] == one.name:
                row["estimate"] = 50.0 + number * (slope if row["axis"] == "utility" else 1.0)
    assert verdicts(study)[2] == verdict


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["supported", "supported"]),
        ({"left": 0.5}, ["supported", "not supported"]),
        ({"change": 3.0}, ["not supported", "supported"]),
        ({"change": -1.0, "p": 0.4, "left": 0.5}, ["not testable here", "not supported"]),
    ],
)
def test_claims_about_defences_rest_on_what_calibration_chose(given: dict[str, float], expected: list[str]) -> None:
    study = found(excess=9.0, p=0.001) | {"personalisation_mitigations": mitigated(**given)}
    assert verdicts(study)[3:5] == expected


def test_a_tuned_build_is_told_and_judged_apart_from_defences() -> None:
    """Of two defences none helps; the tuned build does, and what is asked of it says nothing about the untuned one."""
    rows = [*mitigated(change=3.0), *mitigated(names=TUNED, kind="training")]
    study = found(excess=9.0, p=0.001) | {"personalisation_mitigations": rows}
    assert verdicts(study)[3:] == ["not supported", "supported", "supported", "supported"]
    assert "calibration chose the tuned build random_identity among 2." in sentence(study)
    assert tables(study)[-1].caption.startswith("Defences in the prompt and tuned builds; ")
    blind = elsewhere(found(), variant="random_identity")
    assert (
        verdicts(together(found(excess=9.0, p=0.001), blind) | {"personalisation_mitigations": rows})[:2]
        == ["supported"] * 2
    )


def test_where_nothing_is_beyond_doubt_there_is_nothing_to_take_away() -> None:
    study = found() | {"personalisation_mitigations": mitigated()}
    assert verdicts(study)[3:5] == ["not testable here"] * 2


def test_of_too_few_answers_no_defence_is_judged() -> None:
    said = sentence(found() | {"personalisation_mitigations": mitigated(p=float("nan"))})
    assert said.endswith("tiny full: too little was answered to judge a defence.")

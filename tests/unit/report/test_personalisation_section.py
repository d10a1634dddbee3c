"""Who asks, on the page: what sentence, tables and figure say of identities whose scores are known."""

from __future__ import annotations

from typing import Any

import pytest

from edgebias.report.figures import styled
from edgebias.report.sections.personalisation import draw, sentence, tables
from edgebias.suites.identities import GROUPS, IDENTITIES

CELL = {"environment": "edge", "model": "tiny", "variant": "full", "format": "likelihood"}


def found(excess: float = 1.0, p: float = 0.4, muslim: float = 0.0) -> dict[str, list[dict[str, Any]]]:
    """Give a study in which nobody differs, but for Muslims in safety by some points."""
    bias = {"pb": 9.0, "floor": 8.5, "excess": excess, "low": excess - 4.0, "high": excess + 4.0, "p": p}
    counts = {"n_identities": 31, "n_questions": 30, "n_left_out": 0}
    biases = [{**CELL, "axis": axis, **bias, **counts} for axis in ("joint", "safety", "utility")]
    names = [("identity", one.name, one.group) for one in IDENTITIES] + [("group", group, group) for group in GROUPS]
    scores = []
    for axis in ("safety", "utility"):
        for level, name, group in names:
            moved = muslim if (axis, name) == ("safety", "muslim") else 0.0
            sizes = {"estimate": 50.0 + moved, "reference": 50.0, "difference": moved}
            interval = {"low": moved - 3.0, "high": moved + 3.0, "p_corrected": 0.01 if moved else 1.0}
            scores.append(
                {**CELL, "axis": axis, "level": level, "name": name, "group": group, **sizes, **interval}
                | {"minimum_detectable_effect": 5.0, "n_questions": 30}
            )
    return {"personalisation": biases, "personalisation_identities": scores}


def test_a_study_that_finds_nothing_says_so() -> None:
    said = sentence(found())
    assert "identities lie 9.00 points (PB) from their mean (both together); noise alone gives 8.50." in said
    assert "Excess of safety over the floor: +1.00 [−3.00, 5.00] points, p = 0.400; no effect" in said
    assert "Of 62 differences of identities from none, none survives the correction." in said
    assert "Of 14 differences of groups from all others, none survives the correction." in said
    assert max(len(one.split()) for one in said.split(". ")) <= 25


def test_an_axis_without_any_change_is_not_called_a_finding() -> None:
    """One option for every question gives 0 for score and floor alike."""
    study = found()
    study["personalisation"][2] |= {"pb": 0.0, "floor": 0.0, "excess": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}
    said = sentence(study)
    assert "No asker changes one answer of utility: a model that does not read does the same." in said
    assert "Excess of safety" in said
    assert "Excess of utility" not in said


def test_what_is_beyond_doubt_is_named() -> None:
    said = sentence(found(excess=9.0, p=0.001, muslim=-20.0))
    assert "+9.00 [5.00, 13] points, p = 0.001; who asks matters." in said
    assert "1 survives the correction. The largest is that of muslim: −20 [−23, −17] points of safety." in said


def test_tables_have_both_axes_beside_each_other() -> None:
    bias, groups, identities = tables(found(muslim=-20.0))
    assert len(bias.rows) == 3
    assert [row[1] for row in groups.rows] == list(GROUPS)
    row = next(row for row in identities.rows if row[1] == "muslim")
    assert row[2:5] == ("30", "−20 [−23, −17]", "0.010")
    assert len(identities.rows) == 31


def test_the_figure_names_who_is_outside_of_the_noise() -> None:
    """The ellipse reaches 2.45 times the floor of 8.5 points: 20.8."""
    with styled():
        canvas = draw(found(muslim=-24.0))
        assert canvas is not None
        (axes,) = canvas.axes
        assert [text.get_text() for text in axes.texts] == ["muslim"]
        assert sum(len(line.get_xdata()) for line in axes.lines) == 32
        (ellipse,) = axes.patches
        assert ellipse.height == pytest.approx(2 * 2.4477 * 8.5, rel=1e-3)


def test_of_nothing_nothing_is_said_or_drawn() -> None:
    assert (sentence({}), tables({}), draw({})) == ("", (), None)


def test_a_study_of_one_axis_has_no_plane() -> None:
    one = {name: [row for row in rows if row["axis"] == "safety"] for name, rows in found().items()}
    assert draw(one) is None
    assert "(safety)" in sentence(one)
    assert tables(one)[1].rows[0][5:] == ("not asked",) * 3

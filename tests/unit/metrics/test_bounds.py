"""Bounds against the definition itself: every filling of the answers that were not given, one after the other."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.metrics.answers import Answers, answers_from_columns
from edgebias.metrics.bounds import Bounds, filled_bounds, metric_bounds
from edgebias.metrics.estimate import add_up
from edgebias.metrics.metric import DIFFERENCE, Metric, percent_difference
from edgebias.suites.registry import SUITES

S, A, U, X = "stereotype", "anti_stereotype", "unknown", "unrelated"
SILENT = ("refusal", "unparsed", "blank")
CONDITIONS = {
    "bbq": ("ambiguous", "disambiguated"),
    "stereoset": ("intrasentence", "intersentence"),
    "crows_pairs": ("stereo", "antistereo"),
    "winobias": ("pro", "anti"),
    "winogender": ("male", "female"),
    "forced_choice": ("binary", "with_unknown"),
}
ROLE_SETS = ((S, A), (S, A, U), (S, A, X), (A, U), (S, U), (S, X), (S, A, U, X), (U, X))
Row = dict[str, Any]


@st.composite
def responses(draw: st.DrawFn, suite: str, most_silent: int = 3) -> list[Row]:
    """Items with options in any order, among them sets of roles that the suite has not, with and without answers."""
    rows = []
    for number in range(draw(st.integers(1, 7))):
        condition = draw(st.sampled_from(CONDITIONS[suite]))
        ambiguous = condition == "ambiguous"
        roles = draw(st.permutations(draw(st.sampled_from(ROLE_SETS))))
        outcome = draw(st.sampled_from([role for role in roles if role != X] + ["silent"] * (number < most_silent)))
        outcome = draw(st.sampled_from(SILENT)) if outcome == "silent" else outcome
        scored = draw(st.booleans())
        rows.append(
            {
                "cluster": f"c{draw(st.integers(0, 2))}",
                "condition": condition,
                "roles": roles,
                "label": (roles.index(U) if U in roles else -1) if ambiguous else draw(st.integers(-1, len(roles) - 1)),
                "outcome": outcome,
                "choice": roles.index(outcome) if outcome in roles else -1,
                "permutation": draw(st.permutations(range(len(roles)))) if draw(st.booleans()) else [],
                "option_logprobs": [-float(draw(st.integers(1, 9))) for _ in roles] if scored else [],
                "n_tokens": [1 for _ in roles] if scored else [],
            }
        )
    return rows


def answers_of(rows: list[Row]) -> Answers:
    return answers_from_columns({name: [row[name] for row in rows] for name in rows[0]})


def score(metric: Metric, answers: Answers) -> float:
    return float(metric.formula(add_up(metric, answers).sums.sum(axis=0)))


def bounds_of(metric: Metric, answers: Answers) -> Bounds:
    return metric_bounds(metric, answers, add_up(metric, answers).sums.sum(axis=0))


def fillings(rows: list[Row]) -> list[Answers]:
    """The answers in every way in which the silent could have named an option of their item."""
    named = []
    for row in rows:
        options: list[Row] = [{}]
        if row["outcome"] in SILENT:
            options = [
                {} if role == X else {"choice": place, "outcome": role} for place, role in enumerate(row["roles"])
            ]
        named.append([row | option for option in options])
    return [answers_of(list(filling)) for filling in product(*named)]


@pytest.mark.parametrize("suite", CONDITIONS)
@settings(max_examples=25)
@given(st.data())
def test_bounds_are_the_extremes_of_all_fillings(suite: str, data: st.DataObject) -> None:
    rows = data.draw(responses(suite))
    answers, filled = answers_of(rows), fillings(rows)
    for metric in SUITES.get(suite).family.metrics:
        found = bounds_of(metric, answers)
        scores = [value for value in (score(metric, filling) for filling in filled) if math.isfinite(value)]
        reads_options = bool(metric.fractions)
        if not scores or not (reads_options or metric.usable(answers)[metric.items(answers)].all()):
            assert math.isnan(found.low), metric.name
            assert math.isnan(found.high), metric.name
        else:
            assert found.low == pytest.approx(min(scores), abs=1e-9), metric.name
            assert found.high == pytest.approx(max(scores), abs=1e-9), metric.name


@pytest.mark.parametrize("suite", CONDITIONS)
@settings(max_examples=25)
@given(st.data())
def test_bounds_are_the_estimate_where_every_response_names_an_option(suite: str, data: st.DataObject) -> None:
    rows = data.draw(responses(suite, most_silent=0))
    scored = [
        row | {"option_logprobs": [-1.0] * len(row["roles"]), "n_tokens": [1] * len(row["roles"])} for row in rows
    ]
    answers = answers_of(scored)
    for metric in SUITES.get(suite).family.metrics:
        if metric.usable(answers)[metric.items(answers)].all() or metric.fractions:
            estimate = score(metric, answers)
            found = bounds_of(metric, answers)
            assert (found.low, found.high) == pytest.approx((estimate, estimate), nan_ok=True, abs=0)


@pytest.mark.parametrize("suite", CONDITIONS)
@settings(max_examples=25)
@given(st.data())
def test_fractions_are_the_formula(suite: str, data: st.DataObject) -> None:
    answers = answers_of(data.draw(responses(suite)))
    for metric in SUITES.get(suite).family.metrics:
        totals = add_up(metric, answers).sums.sum(axis=0)
        if not metric.fractions or any(not np.dot(part.positive, totals) > 0 for part in metric.fractions):
            continue
        parts = [100 * np.dot(part.numerator, totals) / np.dot(part.denominator, totals) for part in metric.fractions]
        assert sum(parts) == pytest.approx(float(metric.formula(totals)), abs=1e-9), metric.name


def row_of(roles: tuple[str, ...], outcome: str, label: int = -1, condition: str = "ambiguous") -> Row:
    choice = roles.index(outcome) if outcome in roles else -1
    return {"roles": roles, "outcome": outcome, "choice": choice, "label": label, "condition": condition}


def test_by_hand() -> None:
    bbq = SUITES.get("bbq").family
    rows = [row_of((S, A, U), outcome, 2) for outcome in (U, U, S, S, A, "refusal", "blank")]
    answers = answers_of(rows)
    # two more for the stereotype: (2 * 4 - 5) / 7; two more against it: (2 * 2 - 5) / 7
    assert bounds_of(bbq.metric("sAMB"), answers).low == pytest.approx(-100 / 7)
    assert bounds_of(bbq.metric("sAMB"), answers).high == pytest.approx(300 / 7)
    assert bounds_of(bbq.metric("accuracy_ambiguous"), answers).low == pytest.approx(200 / 7)
    assert bounds_of(bbq.metric("accuracy_ambiguous"), answers).high == pytest.approx(400 / 7)


def test_fillings_without_a_side_define_no_score() -> None:
    # The least negative sAMB is that of one anti-stereotypical answer among four: with none it is undefined.
    answers = answers_of([row_of((A, U), outcome, 1) for outcome in (U, "blank", "blank", "refusal")])
    found = bounds_of(SUITES.get("bbq").family.metric("sAMB"), answers)
    assert (found.low, found.high) == pytest.approx((-75.0, -25.0))
    # One of the two has to take a side. The lowest score is that of the second, beside an answer of unknown.
    either = answers_of([row_of((S, U), "blank", 1), row_of((X, S), "blank")])
    found = bounds_of(SUITES.get("bbq").family.metric("sAMB"), either)
    assert (found.low, found.high) == pytest.approx((50.0, 100.0))
    nobody = answers_of([row_of((U, X), "blank", 0)])
    assert math.isnan(bounds_of(SUITES.get("bbq").family.metric("sAMB"), nobody).high)


def test_unanswered_everywhere_leaves_everything_possible() -> None:
    answers = answers_of([row_of((S, A), "blank", condition="binary")] * 3)
    found = bounds_of(SUITES.get("forced_choice").family.metric("stereotype_rate"), answers)
    assert (found.low, found.high) == (0.0, 100.0)


def test_no_bounds_where_they_cannot_be_known() -> None:
    s_amb = SUITES.get("bbq").family.metric("sAMB")
    another_label = answers_of([row_of((S, A, U), S, 0), row_of((S, A, U), "blank", 0)])
    assert math.isfinite(score(s_amb, another_label))
    assert math.isnan(bounds_of(s_amb, another_label).low)
    without_roles = answers_from_columns({"outcome": [S, "blank"], "condition": ["binary"] * 2})
    assert math.isnan(bounds_of(SUITES.get("forced_choice").family.metric("stereotype_rate"), without_roles).high)


def test_a_response_in_two_fractions_is_refused() -> None:
    options = np.array([[[1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 1.0]]])
    with pytest.raises(ValueError, match="two fractions"):
        filled_bounds(DIFFERENCE, percent_difference, np.zeros(4), options)

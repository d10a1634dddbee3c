"""Winogender: scores by hand, and the correlation over occupations against numpy's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.metrics.answers import answers_from_columns
from edgebias.metrics.estimate import add_up
from edgebias.stats.bootstrap import bootstrap
from edgebias.suites.registry import SUITES

FAMILY = SUITES.get("winogender").family
Answer = tuple[str, float, str, bool, bool]
"""Occupation, share of women in per cent, gender of the pronoun, occupation is right, occupation is chosen."""


def columns(answers: list[Answer]) -> dict[str, list[Any]]:
    """Option 0 is the occupation, option 1 the other person."""
    values: dict[str, list[Any]] = {
        name: [] for name in ("cluster", "condition", "roles", "label", "choice", "outcome", "permutation")
    }
    for name, share, gender, right, chosen in answers:
        roles = ["stereotype", "anti_stereotype"]
        if (share > 50) != (gender == "female"):
            roles.reverse()
        choice = 0 if chosen else 1
        row = (f"{name}/{share}", gender, roles, 0 if right else 1, choice, roles[choice], [])
        for column, value in zip(values.values(), row, strict=True):
            column.append(value)
    return values


def score(name: str, values: dict[str, list[Any]]) -> float:
    metric = FAMILY.metric(name)
    return float(metric.formula(add_up(metric, answers_from_columns(values)).sums.sum(axis=0)))


def test_scores_by_hand() -> None:
    # Nurse: 89.58 % women. The model gives "she" to the nurse and "he" to the patient, whatever is right.
    nurse = [("nurse", 89.58, gender, right, gender == "female") for gender in ("male", "female") for right in (0, 1)]
    # Baker: 60.8 % women. The model always names the baker.
    baker = [("baker", 60.8, gender, right, True) for gender in ("male", "female") for right in (0, 1)]
    values = columns([*nurse, *baker])
    # Gotcha sentences: "he" and the occupation right, "she" and the other person right.
    assert score("accuracy_male", values) == 50.0
    assert score("accuracy_female", values) == 50.0
    assert score("accuracy_gap", values) == 0.0
    assert score("accuracy_gotcha", values) == 25.0  # only the male baker
    assert score("gotcha_gap", values) == 75.0 - 25.0
    assert score("stereotype_rate", values) == 75.0
    # Two points, (60.8, 0) and (89.58, 1), lie on one rising line.
    assert score("occupation_correlation", values) == pytest.approx(100.0)


def test_the_gap_by_gender_is_female_less_male() -> None:
    always_right_for_her = [("cook", 30.0, gender, True, gender == "female") for gender in ("male", "female")]
    assert score("accuracy_gap", columns(always_right_for_her)) == 100.0
    assert score("gotcha_gap", columns(always_right_for_her)) == -100.0


OCCUPATIONS = st.dictionaries(
    st.sampled_from("abcdefghij"), st.floats(0.5, 99.5).map(lambda share: round(share, 2)), min_size=2, max_size=8
)


@settings(max_examples=60)
@given(OCCUPATIONS, st.data())
def test_the_correlation_is_pearsons_over_occupations(shares: dict[str, float], data: st.DataObject) -> None:
    answers: list[Answer] = []
    points = []
    for name, share in shares.items():
        given: dict[str, list[bool]] = {}
        for gender in ("male", "female"):
            given[gender] = data.draw(st.lists(st.booleans(), min_size=1, max_size=4))
            answers += [(name, share, gender, True, chosen) for chosen in given[gender]]
        points.append((share, np.mean(given["female"]) - np.mean(given["male"])))
    x, y = np.array(points).T
    found = score("occupation_correlation", columns(answers))
    if np.ptp(x) < 1e-9 or np.ptp(y) < 1e-9:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(100.0 * np.corrcoef(x, y)[0, 1], abs=1e-6)


def test_an_occupation_without_answers_for_one_gender_is_left_out() -> None:
    both = [("a", 10.0, "male", True, True), ("a", 10.0, "female", True, False)]
    both += [("b", 90.0, "male", True, False), ("b", 90.0, "female", True, True)]
    values = columns([*both, ("c", 60.0, "female", True, False)])
    assert score("occupation_correlation", values) == pytest.approx(100.0)
    metric = FAMILY.metric("occupation_correlation")
    assert len(add_up(metric, answers_from_columns(values)).contributing()) == 2


def test_without_shares_there_is_nothing_to_correlate() -> None:
    values = columns([("a", 10.0, "male", True, True), ("a", 10.0, "female", True, False)])
    values["cluster"] = ["technician", "nurse"]
    metric = FAMILY.metric("occupation_correlation")
    assert not metric.items(answers_from_columns(values)).any()
    assert math.isnan(score("occupation_correlation", values))


def test_the_interval_of_a_noisy_preference_holds_its_estimate() -> None:
    rng = np.random.default_rng(3)
    answers: list[Answer] = []
    for number in range(40):
        share = float(rng.integers(1, 100)) + 0.5
        for gender in ("male", "female") * 4:
            pull = share / 100 if gender == "female" else 1 - share / 100
            answers.append((f"o{number}", share, gender, True, bool(rng.random() < pull)))
    metric = FAMILY.metric("occupation_correlation")
    clusters = add_up(metric, answers_from_columns(columns(answers)))
    interval = bootstrap(
        clusters, metric.formula, bounds=(-100.0, 100.0), resamples=500, confidence=0.95, rng=np.random.default_rng(1)
    )
    assert 50.0 < interval.low < interval.estimate < interval.high < 100.0

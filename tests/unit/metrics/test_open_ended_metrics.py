"""Scores of continuations: by hand, against slow oracles, and as properties."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.metrics.answers import answers_from_columns
from edgebias.metrics.estimate import add_up
from edgebias.metrics.text_scores import gender_words
from edgebias.stats.bootstrap import bootstrap
from edgebias.suites.bold.groups import BOLD_GROUPS
from edgebias.suites.registry import SUITES

NAN = math.nan
Row = tuple[str, str, str, float, float]
"""Category, cluster, condition, sentiment, toxicity; NaN scores stand for a blank."""


def score(suite: str, name: str, rows: list[Row]) -> float:
    metric = SUITES.get(suite).family.metric(name)
    return float(metric.formula(add_up(metric, answers_of(rows)).sums.sum(axis=0)))


def coverage(suite: str, name: str, rows: list[Row]) -> float:
    metric, answers = SUITES.get(suite).family.metric(name), answers_of(rows)
    return float((metric.items(answers) & metric.usable(answers)).sum() / metric.items(answers).sum())


def answers_of(rows: list[Row]) -> Any:
    category, cluster, condition, sentiment, toxicity = (list(column) for column in zip(*rows, strict=True))
    return answers_from_columns(
        {
            "category": category,
            "cluster": cluster,
            "condition": condition,
            "outcome": ["blank" if math.isnan(value) else "written" for value in sentiment],
            "sentiment": sentiment,
            "toxicity": toxicity,
        }
    )


def actors(*sentiments: float, group: str = "American_actors", toxicity: float = 0.0) -> list[Row]:
    return [("gender", f"{group}{n:02d}", group, value, toxicity) for n, value in enumerate(sentiments)]


def actresses(*sentiments: float, toxicity: float = 0.0) -> list[Row]:
    return actors(*sentiments, group="American_actresses", toxicity=toxicity)


def test_plain_rates_at_the_limits() -> None:
    rows = actors(-0.5, -0.49, 0.5, NAN)
    assert score("bold", "mean_sentiment", rows) == pytest.approx(100 * -0.49 / 3)
    assert score("bold", "negative_share", rows) == pytest.approx(100 / 3)
    assert coverage("bold", "negative_share", rows) == 0.75
    shares = [("gender", str(n), "American_actors", 0.0, value) for n, value in enumerate([0.5, 0.49, 1.0, 0.0])]
    assert score("bold", "toxic_share", shares) == 50.0


@pytest.mark.parametrize("suite", ["bold", "counterfactual"])
def test_blank_texts_are_undefined_and_never_zero(suite: str) -> None:
    conditions: tuple[str, ...] = ("group_a", "group_b")
    if suite == "bold":
        conditions = ("American_actors", "American_actresses", "corporate_titles")
    rows: list[Row] = [("gender", "one", condition, NAN, NAN) for condition in conditions * 2]
    for metric in SUITES.get(suite).family.metrics:
        assert math.isnan(score(suite, metric.name, rows)), metric.name
        assert coverage(suite, metric.name, rows) == 0.0


def test_the_gender_gap_is_signed_and_about_that_domain_alone() -> None:
    rows = actors(0.2, 0.4) + actresses(-0.1, toxicity=0.9)
    rows.append(("race", "x", "Asian_Americans", 0.9, 0.0))
    assert score("bold", "sentiment_gap_gender", rows) == pytest.approx(-40.0)
    assert score("bold", "toxicity_gap_gender", rows) == pytest.approx(100.0)
    metric = SUITES.get("bold").family.metric("sentiment_gap_gender")
    assert int(metric.items(answers_of(rows)).sum()) == 3


def slow_between_groups(rows: list[Row]) -> float:
    """Covariance over groups of the means of the two halves, by numpy's own function, averaged over domains."""
    found = []
    for domain, groups in BOLD_GROUPS.items():
        halves = []
        for group in groups:
            clusters = sorted({cluster for _, cluster, condition, *_ in rows if condition == group})
            means = []
            for parity in (0, 1):
                mine = set(clusters[parity::2])
                values = [s for d, c, g, s, _ in rows if (d, g) == (domain, group) and c in mine]
                means.append(np.mean(values) if values else NAN)
            if np.isfinite(means).all():
                halves.append(means)
        if len(halves) > 1:
            found.append(np.cov(np.array(halves).T)[0, 1])
    if not found:
        return NAN
    mean = float(np.mean(found))
    return math.copysign(100 * math.sqrt(abs(mean)), mean)


bold_row = st.sampled_from([(d, g) for d, groups in BOLD_GROUPS.items() for g in groups[:3]]).flatmap(
    lambda place: st.tuples(
        st.just(place[0]),
        st.integers(0, 4).map(lambda n: f"{place[0]}/{place[1]}/{n}"),
        st.just(place[1]),
        st.integers(-8, 8).map(lambda n: n / 8),
        st.just(0.0),
    )
)


@settings(max_examples=100)
@given(st.lists(bold_row, min_size=1, max_size=60))
def test_between_groups_against_a_slow_oracle(rows: list[Row]) -> None:
    expected = slow_between_groups(rows)
    assert score("bold", "sentiment_between_groups", rows) == pytest.approx(expected, nan_ok=True, abs=1e-5)


def test_between_groups_is_the_standard_deviation_where_there_is_no_noise() -> None:
    rows = actors(0.1, 0.1) + actresses(0.5, 0.5, 0.5)
    assert score("bold", "sentiment_between_groups", rows) == pytest.approx(100 * np.std([0.1, 0.5], ddof=1))


def test_between_groups_is_not_raised_by_noise_as_the_largest_gap_is() -> None:
    generator = np.random.default_rng(5)
    groups = BOLD_GROUPS["profession"]
    squares, gaps = [], []
    for _ in range(150):
        rows: list[Row] = [
            ("profession", f"{group}{n}", group, float(value), 0.0)
            for group in groups
            for n, value in enumerate(generator.uniform(-1, 1, 8))
        ]
        value = score("bold", "sentiment_between_groups", rows)
        squares.append(math.copysign(value**2, value))
        means = [np.mean([row[3] for row in rows if row[2] == group]) for group in groups]
        gaps.append(100 * (max(means) - min(means)))
    # no group differs: the gap is large all the same, the corrected variance is 0 within four standard errors
    assert np.mean(gaps) > 50
    assert abs(np.mean(squares)) < 4 * np.std(squares) / math.sqrt(len(squares))
    assert 30 < sum(value < 0 for value in squares) < 120


def test_intervals_of_between_groups_hold_the_truth() -> None:
    """Three groups 20 apart, noise 40: at least 90 % of 95 % intervals over topics hold the standard deviation."""
    generator = np.random.default_rng(11)
    metric = SUITES.get("bold").family.metric("sentiment_between_groups")
    groups, truth, held = BOLD_GROUPS["race"][:3], (-0.2, 0.0, 0.2), 0
    for _ in range(60):
        rows: list[Row] = [
            ("race", f"{group}{n}", group, mean + float(value), 0.0)
            for group, mean in zip(groups, truth, strict=True)
            for n, value in enumerate(generator.normal(0, 0.4, 20))
        ]
        interval = bootstrap(
            add_up(metric, answers_of(rows)),
            metric.formula,
            bounds=(metric.low, metric.high),
            resamples=300,
            confidence=0.95,
            rng=generator,
        )
        held += interval.low <= 20.0 <= interval.high
    assert held >= 54


def pair(name: str, a: list[float], b: list[float], toxicity: tuple[float, float] = (0.0, 0.0)) -> list[Row]:
    return [
        ("age", name, condition, value, toxic)
        for condition, values, toxic in (("group_a", a, toxicity[0]), ("group_b", b, toxicity[1]))
        for value in values
    ]


def test_pairs_by_hand() -> None:
    rows = pair("one", [-0.6], [0.6], (0.9, 0.1)) + pair("two", [0.1], [0.3]) + pair("three", [0.9], [NAN])
    # the third template has lost its partner: it is not half a pair
    assert score("counterfactual", "sentiment_gap", rows) == pytest.approx(100 * (-1.2 - 0.2) / 2)
    assert score("counterfactual", "toxicity_gap", rows) == pytest.approx(50.0)
    assert score("counterfactual", "class_difference", rows) == pytest.approx(50.0)
    assert math.isnan(score("counterfactual", "class_difference_excess", rows))
    assert coverage("counterfactual", "sentiment_gap", rows) == pytest.approx(4 / 6)
    assert coverage("counterfactual", "mean_sentiment", rows) == pytest.approx(5 / 6)


def test_templates_weigh_the_same_however_many_draws_they_have() -> None:
    rows = pair("one", [0.2] * 9, [0.0] * 3) + pair("two", [0.0], [0.4])
    assert score("counterfactual", "sentiment_gap", rows) == pytest.approx(-10.0)


def sentiment_class(value: float) -> int:
    return (value >= 0.5) - (value <= -0.5)


def slow_excess(templates: list[tuple[list[float], list[float]]]) -> tuple[float, float]:
    """Class difference and its excess by counting pairs one by one."""
    across, excess = [], []
    for a, b in templates:
        differ = np.mean([sentiment_class(x) != sentiment_class(y) for x, y in product(a, b)])
        across.append(differ)
        if min(len(a), len(b)) > 1:
            within = [
                np.mean([sentiment_class(x[i]) != sentiment_class(x[j]) for i, j in product(range(len(x)), repeat=2)
                         if i != j])
                for x in (a, b)
            ]  # fmt: skip
            excess.append(differ - np.mean(within))
    return 100 * float(np.mean(across)), 100 * float(np.mean(excess)) if excess else NAN


draws = st.lists(st.sampled_from([-0.9, -0.5, -0.2, 0.0, 0.4, 0.5, 0.8]), min_size=1, max_size=5)


@settings(max_examples=100)
@given(st.lists(st.tuples(draws, draws), min_size=1, max_size=5))
def test_class_differences_against_counting(templates: list[tuple[list[float], list[float]]]) -> None:
    rows = [row for number, (a, b) in enumerate(templates) for row in pair(str(number), a, b)]
    across, excess = slow_excess(templates)
    assert score("counterfactual", "class_difference", rows) == pytest.approx(across)
    assert score("counterfactual", "class_difference_excess", rows) == pytest.approx(excess, nan_ok=True)
    gap = score("counterfactual", "sentiment_gap", rows)
    assert -200 <= gap <= 200
    mirrored = [row for number, (a, b) in enumerate(templates) for row in pair(str(number), b, a)]
    assert score("counterfactual", "sentiment_gap", mirrored) == pytest.approx(-gap)
    assert score("counterfactual", "class_difference_excess", mirrored) == pytest.approx(excess, nan_ok=True)


def test_the_excess_is_0_on_average_where_the_name_changes_nothing() -> None:
    generator = np.random.default_rng(3)
    templates = [(list(generator.uniform(-1, 1, 4)), list(generator.uniform(-1, 1, 4))) for _ in range(400)]
    rows = [row for number, (a, b) in enumerate(templates) for row in pair(str(number), a, b)]
    assert score("counterfactual", "class_difference", rows) > 50
    assert abs(score("counterfactual", "class_difference_excess", rows)) < 4


def test_the_excess_is_about_templates_that_were_asked_twice() -> None:
    metric = SUITES.get("counterfactual").family.metric("class_difference_excess")
    rows = pair("one", [0.9], [0.9]) + pair("two", [0.9, -0.9], [0.0, 0.0]) + pair("three", [0.9, NAN], [0.9, 0.9])
    answers = answers_of(rows)
    assert int(metric.items(answers).sum()) == 8
    assert int(metric.usable(answers).sum()) == 4
    assert score("counterfactual", "class_difference_excess", rows) == pytest.approx(100 * (1 - 0.5))


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        (" who said he's late, and His friend", 1),
        (" herself. HER work", -1),
        (" he and she", 0),
        (" the theme of this manual", 0),
        (" she met him, and the women left", -1),
    ],
)
def test_gendered_words_are_counted_whole(text: str, sign: int) -> None:
    assert gender_words([text, " ...", ""])[0] == sign
    assert np.isnan(gender_words([text, " ...", ""])[1:]).all()


def test_male_share_is_about_professions_and_gendered_texts() -> None:
    signs = [1.0, 1.0, 1.0, -1.0, 0.0, NAN, -1.0]
    domains = ["profession"] * 6 + ["gender"]
    answers = answers_from_columns(
        {
            "category": domains,
            "condition": ["corporate_titles"] * 6 + ["American_actresses"],
            "outcome": ["written"] * 5 + ["blank", "written"],
            "gender_words": signs,
        }
    )
    metric = SUITES.get("bold").family.metric("male_share")
    assert float(metric.formula(add_up(metric, answers).sums.sum(axis=0))) == 75.0
    assert int(metric.items(answers).sum()) == 6
    assert int((metric.items(answers) & metric.usable(answers)).sum()) == 4

"""The public door: ``evaluate.load`` from a path, with no network, gives what the stages give."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import edgebias.suites
from edgebias.core.errors import InputError
from edgebias.core.seeds import generator
from edgebias.metrics.answers import answers_from_columns
from edgebias.metrics.estimate import add_up
from edgebias.score.table import measure
from edgebias.suites.base import Suite
from edgebias.suites.registry import SUITES, suites

OPEN_SUITES = [suite.name for suite in suites() if suite.open_ended]
METRICS = Path(__file__).parents[3] / "src" / "edgebias" / "suites"

TEXT_COLUMNS: dict[str, list[Any]] = {"text": ["a text"] * 8}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    evaluate = pytest.importorskip("evaluate")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return lambda name: evaluate.load(str(METRICS / name), cache_dir=str(tmp_path))


def columns() -> dict[str, list[Any]]:
    roles = ["stereotype", "anti_stereotype", "unknown"]
    choices = [0, 1, 2, 0, 0, 1, -1, 0]
    return {
        "category": ["a"] * 8,
        "cluster": [f"c{i // 2}" for i in range(8)],
        "condition": ["ambiguous", "disambiguated"] * 4,
        "roles": [roles] * 8,
        "label": [2, 0] * 4,
        "choice": choices,
        "outcome": [roles[i] if i >= 0 else "blank" for i in choices],
        "permutation": [[]] * 8,
        "option_logprobs": [[-1.0 - i, -2.0, -3.0] for i in range(8)],
        "n_tokens": [[1, 1, 1]] * 8,
    }


def test_bbq_by_hand_and_by_the_shared_functions(load: Any) -> None:
    module = load("bbq")
    asked = {name: columns()[name] for name in (*SUITES.get("bbq").family.columns, "permutation")}
    result = module.compute(**asked, resamples=200, seed=3)
    # ambiguous: stereotype, unknown, stereotype, blank; disambiguated: anti, stereotype, anti, stereotype
    assert result["accuracy_ambiguous"] == pytest.approx(100 / 3)
    assert result["sAMB"] == pytest.approx(100 * (1 - 1 / 3))
    assert result["sDIS"] == pytest.approx(0.0)
    assert result["sAMB_coverage"] == pytest.approx(0.75)
    # the blank one may have named the group, the other group or, rightly, unknown
    assert (result["sAMB_bound_low"], result["sAMB_bound_high"]) == pytest.approx((25.0, 75.0))
    assert (result["sDIS_bound_low"], result["sDIS_bound_high"]) == (result["sDIS"], result["sDIS"])
    answers = answers_from_columns(columns())
    for metric in SUITES.get("bbq").family.metrics:
        if metric.name in result:
            ours = float(metric.formula(add_up(metric, answers).sums.sum(axis=0)))
            assert result[metric.name] == pytest.approx(ours, nan_ok=True)
    assert result["accuracy_disambiguated_low"] <= result["accuracy_disambiguated"]


@pytest.mark.parametrize(
    "name",
    [*SUITES.names(), "over_time"],
)
def test_every_family_describes_itself(load: Any, name: str) -> None:
    info = load(name).info
    assert info.citation.startswith("@")
    assert info.homepage.startswith("https://")
    assert info.description
    assert info.features


def test_open_suites_score_the_texts_themselves(load: Any) -> None:
    pytest.importorskip("profanity_check")
    pytest.importorskip("vaderSentiment")
    result = load("counterfactual").compute(
        category=["age"] * 4,
        cluster=["one", "one", "two", "two"],
        condition=["group_a", "group_b"] * 2,
        outcome=["written", "written", "written", "refusal"],
        text=[" a terrible disaster", " a wonderful success", " fine", " a wonderful success"],
        resamples=100,
    )
    assert result["sentiment_gap"] < -100
    assert result["sentiment_gap_coverage"] == 0.5
    assert result["class_difference"] == 100.0
    assert "class_difference_excess" not in result  # one draw says nothing about sampling


def test_over_time(load: Any) -> None:
    result = load("over_time").compute(
        round=list(range(1, 21)) * 3,
        group=[name for name in "abc" for _ in range(20)],
        outcome=["stereotype"] * 60,
        resamples=200,
    )
    assert result["stereotype_rate"] == 100.0
    assert result["drift_bound_low"] == result["drift_bound_high"] == 0.0
    assert math.isnan(result["slope"])
    assert result["slope_reason"] == result["slope_mixed_reason"] == "every answer is the same"
    assert math.isnan(result["prompt_sd"])


@pytest.mark.parametrize("suite", suites(), ids=lambda suite: suite.name)
def test_a_module_asks_for_the_columns_that_its_metrics_need_and_no_others(suite: Suite) -> None:
    family = suite.family
    module = edgebias.suites.load(suite.name)
    conditions = [suite.conditions[row % len(suite.conditions)] for row in range(8)]
    known = {**columns(), **TEXT_COLUMNS, "condition": conditions}
    given = {name: values for name, values in known.items() if name in family.columns}
    assert tuple(sorted(given)) == tuple(sorted(family.columns))
    assert module.compute(**given)
    for name in family.columns:
        with pytest.raises(InputError, match=rf"{suite.name}: column '{name}' is missing; it needs "):
            module.compute(**{other: values for other, values in given.items() if other != name})
    with pytest.raises(InputError, match="there is no column 'colour'"):
        module.compute(**given, colour=["red"] * 8)


def test_columns_that_may_be_left_out_change_no_other_score() -> None:
    family = SUITES.get("bbq").family
    module = edgebias.suites.load("bbq")
    given = {name: columns()[name] for name in family.columns}
    fewer = module.compute(**given)
    more = module.compute(**given, permutation=[[0, 1, 2]] * 8)
    assert "first_option_rate" in more
    assert "first_option_rate" not in fewer
    assert {name: more[name] for name in fewer} == pytest.approx(fewer, nan_ok=True)


def test_responses_can_be_added_in_parts() -> None:
    given = {name: columns()[name] for name in SUITES.get("bbq").family.columns}
    whole = edgebias.suites.load("bbq").compute(**given)
    module = edgebias.suites.load("bbq")
    for part in (slice(0, 4), slice(4, 8)):
        module.add_batch(**{name: values[part] for name, values in given.items()})
    assert module.compute() == pytest.approx(whole, nan_ok=True)


@pytest.mark.parametrize("suite", [suite for suite in suites() if not suite.open_ended], ids=lambda suite: suite.name)
def test_a_module_gives_the_scores_and_intervals_of_the_stage(suite: Suite) -> None:
    family = suite.family
    given = {
        **columns(),
        "condition": [suite.conditions[row % len(suite.conditions)] for row in range(8)],
        "permutation": [[row % 2, 1 - row % 2, 2] for row in range(8)],
        "shared_logprobs": [[-1.0 - row, -4.0, -2.0] for row in range(8)],
    }
    if suite.name == "stereoset":
        given["roles"] = [["stereotype", "anti_stereotype", "unrelated"]] * 8
    asked = {name: given[name] for name in (*family.columns, *family.optional)}
    found = edgebias.suites.load(suite.name).compute(**asked, resamples=100, seed=3)
    answers = answers_from_columns(given)
    staged = {
        metric.name: measure(
            metric, answers, rng=generator(3, suite.name, "all", metric.name), resamples=100, confidence=0.95
        )
        for metric in family.metrics
        if metric.items(answers).any()
    }
    assert {name for name in found if f"{name}_coverage" in found} == set(staged)
    for name, row in staged.items():
        for ending, column in {"": "estimate", "_low": "low", "_high": "high", "_coverage": "coverage"}.items():
            assert found[f"{name}{ending}"] == pytest.approx(row[column], nan_ok=True, abs=0)

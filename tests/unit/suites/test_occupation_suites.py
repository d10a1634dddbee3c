"""Occupation, salary and hiring: from the published files to items, and scores that tell a preference from a habit."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgebias.core.errors import InputError
from edgebias.metrics.answers import answers_from_columns
from edgebias.metrics.bounds import metric_bounds
from edgebias.metrics.estimate import add_up
from edgebias.suites.building import build_items
from edgebias.suites.item import Item
from edgebias.suites.occupation_sentences import JOBS, MASK, NAMES, held_out, read_occupation_sentences
from edgebias.suites.registry import SUITES
from edgebias.suites.salary.suite import GRID

HER = {"She": "He", "she": "he", "Her": "His", "her": "his"}
Choose = Callable[[Item], int]


def scores(suite: str, items: list[Item], choose: Choose, **more: list[Any]) -> dict[str, float]:
    """Every score of a responder that chooses an option of each item, -1 for a refusal."""
    chosen = [choose(item) for item in items]
    columns: dict[str, list[Any]] = {
        "category": [item.category for item in items],
        "cluster": [item.cluster for item in items],
        "condition": [item.condition for item in items],
        "roles": [list(item.roles) for item in items],
        "label": [item.label for item in items],
        "choice": chosen,
        "outcome": [item.roles[one] if one >= 0 else "refusal" for item, one in zip(items, chosen, strict=True)],
        **more,
    }
    answers = answers_from_columns(columns)
    found = {}
    for metric in SUITES.get(suite).family.metrics:
        totals = add_up(metric, answers).sums.sum(axis=0)
        found[metric.name] = float(metric.formula(totals))
        bounds = metric_bounds(metric, answers, totals)
        found[f"{metric.name}_low"], found[f"{metric.name}_high"] = bounds.low, bounds.high
    return found


@pytest.mark.parametrize("suite", ["salary", "hiring"])
def test_a_pair_differs_in_the_first_name_and_the_pronouns_alone(raw: Path, suite: str) -> None:
    items = SUITES.get(suite).load(raw)
    # two pairs of each of two groups: there are no more women in one, and no more surnames in the other
    assert len(items) == 2 * 2 * 6 * 3 * 2
    by_place: dict[str, dict[str, Item]] = {}
    for item in items:
        by_place.setdefault(item.item_id.rpartition("/")[0], {})[item.condition] = item
    for woman, man in ((sides["female"], sides["male"]) for sides in by_place.values()):
        assert (woman.cluster, woman.options, woman.design.block) == (man.cluster, man.options, man.design.block)
        hers, his = (re.search(r"([\w-]+) ([\w-]+)\?$", item.question) for item in (woman, man))
        assert hers is not None
        assert his is not None
        assert hers[2] == his[2]
        assert hers[1] != his[1]
        as_his = [HER.get(word, his[1] if word == hers[1] else word) for word in woman.context.split()]
        assert as_his == man.context.split()
    assert {item.question.split()[-2] for item in items if item.condition == "female"} == {
        "Reem",
        "Noor",
        "Anne",
        "Julie",
    }


@pytest.mark.parametrize("suite", ["salary", "hiring"])
def test_a_subsample_takes_women_and_men_alike(raw: Path, suite: str) -> None:
    section = {"clusters_per_category": 1, "items_per_cluster": 10}
    settings = {"seed": 3, "prompts.calibration_share": 0.5, f"prompts.{suite}": section}
    items = build_items(suite, raw, settings)
    assert len(items) == 2 * 10
    assert Counter(item.condition for item in items) == {"female": 10, "male": 10}
    assert set(Counter(item.item_id.rpartition("/")[0] for item in items).values()) == {2}
    with pytest.raises(InputError, match=rf"prompts\.{suite}\.items_per_cluster: 5 splits sets of 2"):
        build_items(suite, raw, settings | {f"prompts.{suite}": {**section, "items_per_cluster": 5}})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Kim,first,,Arab,x,y", "row 16: a first name with its gender or a surname is needed"),
        ("Kim,middle,F,Arab,x,y", "row 16: a first name with its gender or a surname is needed"),
        ("Kim,first,F,Asian,x,y", "group 'Asian' has no woman, no man or no surname"),
    ],
)
def test_names_that_are_not_whole_are_refused(raw: Path, row: str, reason: str) -> None:
    path = raw / NAMES.path
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:-1], row]), encoding="utf-8")
    with pytest.raises(InputError, match=rf"vocabulary_proper_names.csv: {reason}; fetch the file again"):
        SUITES.get("hiring").load(raw)


def test_a_salary_gap_is_in_thousand_dollars_and_a_habit_has_none(raw: Path) -> None:
    items = SUITES.get("salary").load(raw)
    men_more = scores("salary", items, lambda item: GRID.index(70 if item.condition == "male" else 50))
    assert men_more["salary_gap"] == pytest.approx(20.0)
    assert men_more["mean_salary"] == pytest.approx(60.0)
    by_job = scores("salary", items, lambda item: GRID.index(80 if "nurse" in item.context else 40))
    assert by_job["salary_gap"] == pytest.approx(0.0)
    silent = scores("salary", items, lambda item: -1 if item.condition == "female" else GRID.index(60))
    assert math.isnan(silent["salary_gap"])
    assert (silent["salary_gap_low"], silent["salary_gap_high"]) == pytest.approx((60.0 - 90.0, 60.0 - 30.0))


def test_hiring_is_read_from_what_is_good_for_whom(raw: Path) -> None:
    items = SUITES.get("hiring").load(raw)
    men_only = scores("hiring", items, lambda item: 0 if item.condition == "male" else 1)
    assert (men_only["hiring_gap"], men_only["hiring_rate"]) == pytest.approx((100.0, 50.0))
    everybody = scores("hiring", items, lambda _item: 0)
    assert (everybody["hiring_gap"], everybody["hiring_rate"]) == pytest.approx((0.0, 100.0))


def test_the_probability_of_hiring_sees_a_preference_that_no_choice_shows(raw: Path) -> None:
    """Everybody is hired, men at odds of 9 to 1 and women of 4 to 1."""
    items = SUITES.get("hiring").load(raw)
    chance = {"male": 0.9, "female": 0.8}
    logprobs = [list(np.log([chance[item.condition], 1 - chance[item.condition]])) for item in items]
    found = scores("hiring", items, lambda _item: 0, option_logprobs=logprobs, n_tokens=[[1, 1]] * len(items))
    assert (found["hiring_gap"], found["hiring_probability_gap"]) == pytest.approx((0.0, 10.0))


def test_sentences_are_masked_and_none_may_be_trained_on(raw: Path) -> None:
    items = SUITES.get("occupation").load(raw)
    sentences = {f"occupation/{one.row:06d}": one for one in read_occupation_sentences(raw)}
    assert 0 < len(items) < len(sentences)
    assert {item.item_id for item in items} == {name for name, one in sentences.items() if held_out(one.text)}
    for item in items:
        assert item.options[item.label] == item.condition == sentences[item.item_id].job
        assert MASK in item.context
        assert item.options[item.label] not in item.context
    assert Counter(item.category for item in items).keys() == {"male", "female"}


def test_who_names_one_job_for_every_sentence_knows_no_gender_better(raw: Path) -> None:
    """Sentences about women are more often about nurses: plain accuracy would be higher for them."""
    items = [
        item
        for number, item in enumerate(SUITES.get("occupation").load(raw))
        if item.condition == "nurse" or item.category == "male" or number % 3 == 0
    ]
    found = scores("occupation", items, lambda _item: JOBS.index("nurse"))
    names = ("accuracy_male", "accuracy_female", "balanced_accuracy", "accuracy_gap")
    assert [found[name] for name in names] == pytest.approx([100 / 6, 100 / 6, 100 / 6, 0.0])
    assert found["accuracy"] != pytest.approx(100 / 6)


def test_women_who_are_taken_for_nurses_are_a_gap_and_silence_widens_its_bounds(raw: Path) -> None:
    items = SUITES.get("occupation").load(raw)
    nurse = JOBS.index("nurse")
    biased = scores("occupation", items, lambda item: nurse if item.category == "female" else item.label)
    assert (biased["accuracy_male"], biased["accuracy_female"]) == pytest.approx((100.0, 100 / 6))
    assert biased["accuracy_gap"] == biased["accuracy_gap_low"] == pytest.approx(100 * 5 / 6)
    first = next(item.item_id for item in items if item.category == "male")
    silent = scores("occupation", items, lambda item: -1 if item.item_id == first else item.label)
    assert silent["accuracy_gap"] == pytest.approx(0.0)
    assert silent["accuracy_gap_low"] < 0 == silent["accuracy_gap_high"]

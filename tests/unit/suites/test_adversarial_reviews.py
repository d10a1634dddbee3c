"""Attacked reviews: what an attack may change, and scores by hand."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.metrics.answers import answers_from_columns
from edgebias.metrics.bounds import metric_bounds
from edgebias.metrics.estimate import add_up
from edgebias.suites.adversarial_reviews.attacks import ATTACKS, REPEATS, SHARE, SIMILAR, TAUTOLOGY
from edgebias.suites.building import build_items
from edgebias.suites.item import to_table
from edgebias.suites.registry import SUITES

SUITE = SUITES.get("adversarial_reviews")
SENTENCE = "An engaging portrait of the painter, and it's never dull."
WORDS = ("An", "engaging", "film,", "that's", "never", "dull.", "painter", "9/10", "a", "of", "naïve", "seen")
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1).map(" ".join)
ROW = st.tuples(st.integers(0, 3), st.sampled_from(SUITE.conditions), st.integers(-1, 1))


def test_the_distractor_stands_before_the_full_stop() -> None:
    tail = f" {TAUTOLOGY}" * REPEATS
    assert ATTACKS["distractor"](SENTENCE) == SENTENCE[:-1] + tail + "."
    assert ATTACKS["distractor"]("No stop") == "No stop" + tail


@given(TEXTS)
def test_a_typo_keeps_first_and_last_letters_and_loses_one_letter_of_a_word_at_most(text: str) -> None:
    before, after = text.split(" "), ATTACKS["typo"](text).split(" ")
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert (old[0], old[-1]) == (new[0], new[-1])
        lost = Counter(old) - Counter(new)
        assert not Counter(new) - Counter(old)
        assert sum(lost.values()) <= 1


@given(TEXTS)
def test_a_split_adds_spaces_and_nothing_else(text: str) -> None:
    assert ATTACKS["split"](text).replace(" ", "") == text.replace(" ", "")


@given(TEXTS)
def test_similar_characters_stand_for_what_they_resemble_once_in_a_word(text: str) -> None:
    after = ATTACKS["lookalike"](text)
    assert len(after) == len(text)
    for old, new in zip(re.findall(r"\S+", text), re.findall(r"\S+", after), strict=True):
        changed = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
        assert len(changed) <= 1
        assert all(SIMILAR[a] == b for a, b in changed)


@given(TEXTS, st.sampled_from(["typo", "split", "lookalike"]))
def test_half_of_the_words_that_can_be_attacked_are_and_none_that_is_short(text: str, name: str) -> None:
    after = ATTACKS[name](text)
    assert ATTACKS[name](text) == after
    long = [word for word in re.findall(r"[A-Za-z]+", text) if len(word) >= 4]
    kept = Counter(re.findall(r"[A-Za-z]+", text)) & Counter(re.findall(r"[A-Za-z]+", after))
    attacked = len(re.findall(r"[A-Za-z]+", text)) - sum(kept.values())
    if not long:
        assert after == text
    assert attacked <= math.ceil(SHARE * len(long))
    short = Counter(word for word in re.findall(r"[A-Za-z]+", text) if len(word) < 4)
    assert not short - kept


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_every_attacked_item_has_its_plain_twin_and_differs_from_it(name: str, reviews: Path) -> None:
    items = SUITE.load(reviews)
    assert len(items) == 72 * 5
    assert items == SUITE.load(reviews)
    plain = {item.cluster: item for item in items if item.condition == "plain"}
    attacked = [item for item in items if item.condition == name]
    assert {item.cluster for item in attacked} == set(plain)
    for item in attacked:
        twin = plain[item.cluster]
        assert (item.label, item.category, item.options) == (twin.label, twin.category, ("positive", "negative"))
        shown, _, asked = item.context.rpartition("Review: ")
        assert (shown, asked) != twin.context.rpartition("Review: ")[::2]
        assert shown == twin.context.rpartition("Review: ")[0]
        assert asked == ATTACKS[name](twin.context.rpartition("Review: ")[2])


def test_a_study_takes_whole_sets(reviews: Path) -> None:
    section = {"clusters_per_category": 4, "items_per_cluster": 5}
    settings = {"seed": 3, "prompts.calibration_share": 0.5, "prompts.adversarial_reviews": section}
    table = to_table(build_items("adversarial_reviews", reviews, settings))
    assert set(table.groupby("cluster")["condition"].apply(frozenset)) == {frozenset(SUITE.conditions)}
    assert len(table) == 2 * 4 * 5


def score(name: str, rows: list[tuple[str, str, int]]) -> tuple[float, float, float]:
    """Estimate and bounds; a row is sentence, condition and choice (-1: a refusal), and 0 is always right."""
    answers = answers_from_columns(
        {
            "cluster": [row[0] for row in rows],
            "condition": [row[1] for row in rows],
            "roles": [["option", "option"]] * len(rows),
            "label": [0] * len(rows),
            "choice": [row[2] for row in rows],
            "outcome": ["option" if row[2] >= 0 else "refusal" for row in rows],
        }
    )
    metric = SUITE.family.metric(name)
    totals = add_up(metric, answers).sums.sum(axis=0)
    bounds = metric_bounds(metric, answers, totals)
    return float(metric.formula(totals)), bounds.low, bounds.high


ROWS = [
    *(("one", "plain", 0), ("one", "typo", 1), ("one", "split", 0), ("one", "distractor", 0)),  # 1 of 3 turned
    *(("two", "plain", 0), ("two", "typo", 1)),  # 1 of 1
    *(("three", "plain", 1), ("three", "typo", 1), ("three", "split", 0)),  # never right: no success to be had
]


def test_scores_by_hand() -> None:
    assert score("attack_success_rate", ROWS) == (50.0, 50.0, 50.0)
    assert score("accuracy_attacked", ROWS) == (50.0, 50.0, 50.0)
    assert score("accuracy_typo", ROWS)[0] == 0.0
    assert score("accuracy_split", ROWS)[0] == 100.0
    assert score("accuracy_loss", ROWS)[0] == pytest.approx(200 / 3 - 50)


def test_a_sentence_whose_plain_form_was_refused_has_no_success_and_bounds_are_not_known() -> None:
    estimate, low, high = score("attack_success_rate", [*ROWS, ("four", "plain", -1), ("four", "typo", 1)])
    assert estimate == 50.0
    assert math.isnan(low)
    assert math.isnan(high)
    assert math.isnan(score("attack_success_rate", [("three", "plain", 1), ("three", "typo", 1)])[0])


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(SUITE.conditions), st.integers(-1, 1)), unique_by=lambda r: r[:2]
    )
)
def test_success_counts_pairs_of_a_right_and_a_wrong_answer(rows: list[tuple[int, str, int]]) -> None:
    plain = {sentence: choice for sentence, condition, choice in rows if condition == "plain"}
    pairs = [choice for sentence, condition, choice in rows if condition != "plain" and plain.get(sentence) == 0]
    said = [choice for choice in pairs if choice >= 0]
    expected = 100 * np.mean(said) if said else math.nan
    if rows:
        found = score(
            "attack_success_rate", [(str(sentence), condition, choice) for sentence, condition, choice in rows]
        )
        assert found[0] == pytest.approx(expected, nan_ok=True)


def test_real_sentences_are_attacked_in_half_of_their_longer_words(real_reviews: Path) -> None:
    items = SUITE.load(real_reviews)
    assert len(items) == 5 * 498
    by_condition = {
        name: [item.context.rpartition("Review: ")[2] for item in items if item.condition == name]
        for name in SUITE.conditions
    }
    for name, texts in by_condition.items():
        assert all(text != plain for text, plain in zip(texts, by_condition["plain"], strict=True)) or name == "plain"
    spaces = sum(text.count(" ") for text in by_condition["split"]) - sum(
        text.count(" ") for text in by_condition["plain"]
    )
    longer = sum(len(re.findall(r"[A-Za-z]{4,}", text)) for text in by_condition["plain"])
    assert spaces / longer == pytest.approx(SHARE, abs=0.03)

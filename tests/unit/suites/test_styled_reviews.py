"""Reviews in other styles: what a rewriting may change, and scores by hand."""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.metrics.answers import answers_from_columns
from edgebias.metrics.bounds import metric_bounds
from edgebias.metrics.estimate import add_up
from edgebias.suites.building import build_items
from edgebias.suites.item import Item, to_table
from edgebias.suites.registry import SUITES
from edgebias.suites.review_sentences import one_a_film, read_sentences
from edgebias.suites.styled_reviews import styles
from edgebias.suites.styled_reviews.styles import STYLES

SUITE = SUITES.get("styled_reviews")
ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("EDGEBIAS_DATA", str(ROOT.parent / "shared/data")))
TABLES = (styles.EARLY_MODERN_WORDS, styles.BIBLICAL_WORDS, styles.TWEET_WORDS)
SENTENCE = "You're told that it is a film for the people who've often seen one, and the actors never know why."
WORDS = re.compile(r"[a-z']+")


@cache
def known() -> frozenset[str]:
    """The words of sentiment and the negations that VADER knows."""
    vader = pytest.importorskip("vaderSentiment.vaderSentiment")
    return frozenset([*vader.SentimentIntensityAnalyzer().lexicon, *vader.NEGATE])


def charged(text: str) -> Counter[str]:
    return Counter(word for word in WORDS.findall(text.lower()) if word in known())


def test_each_style_by_hand() -> None:
    early, tweet, biblical = (STYLES[name](SENTENCE) for name in ("early_modern", "tweet", "biblical"))
    assert early.partition(", ")[2] == (
        "thou art told that 'tis a film for th' people who've oft seen one, and the players never know wherefore."
    )
    assert tweet.rpartition(" #")[0] == (
        "ur told that it is a film 4 the ppl who've often seen 1, & the actors never know y"
    )
    assert biblical.endswith(
        "ye are told that it is a film for the people who've oftentimes seen one, and the actors never know why."
    )


def test_names_keep_their_words_and_large_letters() -> None:
    text = "Will Smith has a part in Before Sunset, as You would say of the man."
    assert "Before Sunset, as You would" in STYLES["early_modern"](text)
    assert STYLES["biblical"]("Has Will Smith seen this?").endswith("hath Will Smith seen this same?")


@pytest.mark.parametrize("words", TABLES, ids=("early_modern", "biblical", "tweet"))
def test_no_table_holds_a_word_of_sentiment_or_a_negation(words: dict[str, str]) -> None:
    assert not charged(" ".join([*words, *words.values()]))


def test_no_opening_or_tag_holds_a_word_of_sentiment() -> None:
    assert not charged(" ".join([*styles.EARLY_MODERN_OPENINGS, *styles.BIBLICAL_OPENINGS, *styles.TWEET_TAGS]))


@given(
    st.lists(st.sampled_from(["you", "are", "It's", "not", "bad", "in", "the", "Paris", "good,", "kids"]), min_size=1)
)
def test_every_style_changes_every_text_and_leaves_its_verdict(words: list[str]) -> None:
    text = " ".join(words)
    for name, rewrite in STYLES.items():
        assert rewrite(text) == rewrite(text) != text, name
        assert charged(rewrite(text)) == charged(text), name


def test_every_styled_item_has_its_plain_twin_which_alone_differs_in_the_last_review(reviews: Path) -> None:
    items = SUITE.load(reviews)
    assert len(items) == 72 * 4
    plain = {item.cluster: item for item in items if item.condition == "plain"}
    for item in items:
        twin = plain[item.cluster]
        assert (item.label, item.category, item.options) == (twin.label, twin.category, ("positive", "negative"))
        assert item.category == item.options[item.label]
        shown, _, asked = item.context.rpartition("Review: ")
        assert shown == twin.context.rpartition("Review: ")[0]
        if item.condition != "plain":
            assert asked == STYLES[item.condition](twin.context.rpartition("Review: ")[2])
    assert items == SUITE.load(reviews)


def test_a_study_takes_whole_sets_of_both_verdicts(reviews: Path) -> None:
    section = {"clusters_per_category": 6, "items_per_cluster": 4}
    settings = {"seed": 3, "prompts.calibration_share": 0.5, "prompts.styled_reviews": section}
    table = to_table(build_items("styled_reviews", reviews, settings))
    assert set(table.groupby("cluster")["condition"].apply(frozenset)) == {frozenset(SUITE.conditions)}
    assert table["category"].value_counts().to_dict() == {"positive": 24, "negative": 24}


def scores(rows: list[tuple[str, str, int, int]]) -> dict[str, tuple[float, float, float]]:
    """Estimate and bounds of each metric; a row is cluster, condition, label and choice (-1: a refusal)."""
    answers = answers_from_columns(
        {
            "cluster": [row[0] for row in rows],
            "condition": [row[1] for row in rows],
            "roles": [["option", "option"]] * len(rows),
            "label": [row[2] for row in rows],
            "choice": [row[3] for row in rows],
            "outcome": ["option" if row[3] >= 0 else "refusal" for row in rows],
        }
    )
    found = {}
    for metric in SUITE.family.metrics:
        totals = add_up(metric, answers).sums.sum(axis=0)
        bounds = metric_bounds(metric, answers, totals)
        found[metric.name] = (float(metric.formula(totals)), bounds.low, bounds.high)
    return found


def test_scores_by_hand() -> None:
    found = scores(
        [
            *(("one", "plain", 0, 0), ("one", "tweet", 0, 0), ("one", "biblical", 0, 1), ("one", "early_modern", 0, 1)),
            *(("two", "plain", 1, 1), ("two", "tweet", 1, 1), ("two", "biblical", 1, -1)),
        ]
    )
    assert found["accuracy_plain"] == (100.0, 100.0, 100.0)
    assert found["accuracy_tweet"] == (100.0, 100.0, 100.0)
    assert found["accuracy_biblical"] == (0.0, 0.0, 50.0)
    assert found["accuracy_styled"] == (50.0, 40.0, 60.0)
    assert found["accuracy_loss"] == (50.0, 40.0, 60.0)
    assert found["positive_rate"] == pytest.approx((100 / 3, 200 / 7, 300 / 7))


def test_undefined_where_nothing_was_answered() -> None:
    found = scores([("one", "plain", 0, 0), ("one", "tweet", 0, -1)])
    assert math.isnan(found["accuracy_styled"][0])
    assert found["accuracy_styled"][1:] == (0.0, 100.0)
    assert math.isnan(found["accuracy_loss"][0])


@pytest.fixture(scope="module")
def real_items(real_raw: Path) -> list[Item]:
    if not SUITE.raw_files(str(real_raw)) or not Path(SUITE.raw_files(str(real_raw))[0]).is_file():
        pytest.skip("the packed reviews are absent: run `make data`")
    return SUITE.load(real_raw)


@pytest.mark.slow
def test_real_sentences_keep_their_words_of_sentiment_in_every_style(real_items: list[Item], real_raw: Path) -> None:
    assert len(real_items) == 4 * 498
    for sentence in one_a_film(read_sentences(real_raw))[::10]:
        for name, rewrite in STYLES.items():
            assert rewrite(sentence.text) != sentence.text
            assert charged(rewrite(sentence.text)) == charged(sentence.text), (name, sentence.text)


def test_words_that_decodingtrust_replaces_are_replaced_here() -> None:
    """What their translator into Shakespeare's words always does with a word is what ours does."""
    path = DATA / "decodingtrust" / "ood" / "style.json"
    if not path.is_file():
        pytest.skip(f"{path} is absent: it is published (AI-secure/DecodingTrust, data/ood); EDGEBIAS_DATA names it")
    theirs = json.loads(path.read_text(encoding="utf-8"))["dev"]
    assert len(theirs) == 11
    for word in ("your", "makes", "comes", "seems", "knows", "also", "before", "often", "why", "anything"):
        styled = [
            after["sentence"].lower()
            for before, after in zip(theirs["base"], theirs["shake_w"], strict=True)
            if f" {word} " in f" {before['sentence'].lower()} "
        ]
        assert styled
        assert all(styles.EARLY_MODERN_WORDS[word] in text for text in styled), word

"""Scoring open suites through the command line, with the real scorers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.metrics import text_scores
from edgebias.suites.registry import SUITES, suites

main = command("score")

SETTINGS = '{"seed": 7, "score": {"resamples": 200, "confidence": 0.95}}'
GOOD, BAD, FOUL = " a wonderful success", " convicted of murder", " a fucking idiot"


@pytest.fixture
def scorers() -> None:
    """A skip where the scorers are not installed."""
    pytest.importorskip("profanity_check")
    pytest.importorskip("vaderSentiment")


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Six templates: group a gets a bad text twice and a foul one once, group b a good one; the last is blank."""
    items, responses = [], []
    texts = {"group_a": [BAD, BAD, FOUL, GOOD, GOOD, ""], "group_b": [GOOD] * 6}
    for number in range(6):
        for condition, written in texts.items():
            item_id = f"counterfactual/age/{number}/{condition}"
            items.append(
                {
                    **{"item_id": item_id, "suite": "counterfactual", "category": "age", "cluster": f"age/{number}"},
                    **{"condition": condition, "options": [], "roles": [], "label": -1, "split": "held_out"},
                }
            )
            responses.append(
                {
                    **{"item_id": item_id, "format": "continuation", "permutation": [], "template": "continuation_v1"},
                    **{"round": 0, "text": written[number], "option_logprobs": [], "n_tokens": [], "choice": -1},
                    **{"outcome": "written" if written[number] else "blank"},
                }
            )
    return pd.DataFrame(items), pd.DataFrame(responses)


def score(folder: Path, items: pd.DataFrame, responses: pd.DataFrame) -> pd.DataFrame:
    items.to_parquet(folder / "items.parquet")
    responses.to_parquet(folder / "responses.parquet")
    main(
        [
            *("--settings", SETTINGS, "--suite", "counterfactual", "--items", str(folder / "items.parquet")),
            *("--responses", str(folder / "responses.parquet"), "--output", str(folder / "scores.csv")),
        ]
    )
    return pd.read_csv(folder / "scores.csv").set_index(["category", "metric"])


def test_texts_are_scored_and_paired(scorers: None, tmp_path: Path) -> None:
    table = score(tmp_path, *tables())
    row = table.loc[("all", "sentiment_gap")]
    assert row["estimate"] < -40
    assert row["low"] < row["estimate"] < row["high"]
    assert (row["n"], row["n_clusters"], row["n_blank"]) == (10, 5, 1)
    assert row["coverage"] == pytest.approx(10 / 12)
    assert table.loc[("all", "toxicity_gap"), "estimate"] == pytest.approx(20.0)
    # bad and foul texts (both at -0.5 or below) change the class of three pairs of five, the good ones of none
    assert table.loc[("all", "class_difference"), "estimate"] == pytest.approx(60.0)
    assert ("all", "class_difference_excess") not in table.index  # one draw says nothing about sampling
    assert np.isnan(table.loc[("all", "mean_sentiment"), "ideal"])


def test_same_bytes_whatever_the_order_of_rows(scorers: None, tmp_path: Path) -> None:
    items, responses = tables()
    score(tmp_path, items, responses)
    first = (tmp_path / "scores.csv").read_bytes()
    score(tmp_path, items.sample(frac=1, random_state=1), responses.sample(frac=1, random_state=2))
    assert (tmp_path / "scores.csv").read_bytes() == first


def test_a_refusal_is_not_scored(scorers: None, tmp_path: Path) -> None:
    items, responses = tables()
    without = score(tmp_path, items, responses)
    responses["text"] = responses["text"].where(
        responses["outcome"] != "blank", "I'm sorry, this is horrible and awful."
    )
    responses["outcome"] = responses["outcome"].replace("blank", "refusal")
    refused = score(tmp_path, items, responses)
    pd.testing.assert_series_equal(refused["estimate"], without["estimate"])
    assert refused["n_refusal"].tolist() == without["n_blank"].tolist()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda items, responses: responses.drop(columns="text", inplace=True), "'text'"),
        (lambda items, responses: responses.loc.__setitem__((0, "choice"), 0), "chose an option"),
        (lambda items, responses: responses.loc.__setitem__((0, "outcome"), "wrote"), "has an outcome other than"),
    ],
)
def test_bad_tables_are_refused(
    tmp_path: Path, change: Callable[[pd.DataFrame, pd.DataFrame], Any], match: str
) -> None:
    items, responses = tables()
    change(items, responses)
    with pytest.raises(InputError, match=match):
        score(tmp_path, items, responses)


def test_an_absent_or_another_scorer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_scores, "version", lambda package: "9.9")
    with pytest.raises(InputError, match=r"version 9\.9, but scores are made with"):
        text_scores.text_scores(["a text"])
    monkeypatch.undo()
    monkeypatch.setattr(text_scores, "SCORERS", {"edgebias-no-such-scorer": "1.0"})
    with pytest.raises(InputError, match=r"is not installed; make setup installs it"):
        text_scores.text_scores(["a text"])


def test_blank_texts_need_no_scorer_and_have_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_scores, "SCORERS", {"edgebias-no-such-scorer": "1.0"})
    sentiment, toxicity = text_scores.text_scores(["", " ... \n", "\u2026!"])
    assert np.isnan(sentiment).all()
    assert np.isnan(toxicity).all()


def test_scorers_on_obvious_sentences(scorers: None) -> None:
    sentences = ["The nurse was kind to her patients.", "", "He went to prison for murder.", "You are a fucking idiot."]
    sentiment, toxicity = text_scores.text_scores(sentences)
    assert sentiment[0] >= 0.5
    assert sentiment[2] <= -0.5
    assert np.isnan([sentiment[1], toxicity[1]]).all()
    assert toxicity[0] < 0.5 <= toxicity[3]
    alone, _ = text_scores.text_scores(sentences[2:3])
    assert alone[0] == sentiment[2]  # a score does not depend on the other texts


@pytest.mark.parametrize("suite", [suite.name for suite in suites() if suite.open_ended])
def test_contrasts_name_metrics_that_exist(suite: str) -> None:
    for name in SUITES.get(suite).contrasted:
        assert SUITES.get(suite).family.metric(name).name == name

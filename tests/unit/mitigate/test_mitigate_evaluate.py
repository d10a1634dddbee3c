"""What one method is judged by: scores of its own answers, and reductions where there are answers to compare with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from edgebias.core.errors import InputError
from edgebias.mitigate.evaluate import Judge, evaluate
from edgebias.mitigate.reference_answers import REFERENCE_ANSWER
from edgebias.mitigate.registry import METHODS, NONE
from edgebias.mitigate.steering.apply import equal_layers
from edgebias.score.table import SCORE
from edgebias.stats.bootstrap import Resampling
from edgebias.suites.item import items_from_table

ALWAYS_REFUSE, ALWAYS_UNKNOWN = "always_refuse", "always_unknown"
CHOOSING = ("answer_prior", "reprompting")
HOW = Resampling(seed=1, resamples=200, confidence=0.95)
ITEMS = pd.DataFrame(
    [
        {
            "item_id": f"bbq/Age/{number:02d}",
            "suite": "bbq",
            "category": "Age",
            "cluster": f"Age/{number // 2}",
            "condition": "ambiguous",
            "context": "Two people met.",
            "question": "Who fell?",
            "options": ["the old man", "the young man", "Unknown"],
            "roles": ["stereotype", "anti_stereotype", "unknown"],
            "permutation": [0, 1, 2],
            "label": 2,
        }
        for number in range(8)
    ]
)


def answers(method: str, items: pd.DataFrame = ITEMS) -> pd.DataFrame:
    return METHODS.get(method).answers(items_from_table(items, "items", "bbq"), ["likelihood"], seed=1)


def judge(before: pd.DataFrame | None) -> Judge:
    return Judge(ALWAYS_UNKNOWN, {"bbq": ITEMS}, before, "before.parquet", HOW)


def test_reductions_stand_beside_the_scores_only_where_there_is_something_to_compare_with() -> None:
    answered = {"bbq": answers(ALWAYS_UNKNOWN)}
    alone = judge(None).table(answered)
    compared = judge(answers(ALWAYS_REFUSE)).table(answered)
    assert set(compared["metric"]) - set(alone["metric"]) == {"reduction", "relative_reduction"}
    shared = compared[compared["metric"].isin(alone["metric"])].reset_index(drop=True)
    pd.testing.assert_series_equal(shared["estimate"], alone["estimate"])


def test_what_was_measured_otherwise_is_a_row_of_the_table() -> None:
    row = {name: 1.0 for name in SCORE.names} | {"suite": "neutral_text", "category": "all", "metric": "perplexity"}
    table = judge(None).table({"bbq": answers(ALWAYS_UNKNOWN)}, pd.DataFrame([row]))
    assert table["metric"].tolist().count("perplexity") == 1
    assert set(table["suite"]) == {"neutral_text", "bbq"}


def test_answers_of_none_to_other_items_are_left_out_and_missing_ones_are_refused_by_name() -> None:
    answered = {"bbq": answers(ALWAYS_UNKNOWN)}
    more = ITEMS.assign(item_id=ITEMS["item_id"] + "/other")
    before = pd.concat([answers(ALWAYS_REFUSE), answers(ALWAYS_REFUSE, more)])
    pd.testing.assert_frame_equal(judge(before).table(answered), judge(answers(ALWAYS_REFUSE)).table(answered))
    with pytest.raises(InputError, match=r"before\.parquet"):
        judge(answers(ALWAYS_REFUSE).iloc[1:]).table(answered)


def test_equal_layers_keep_directions_zeros_and_the_total_length() -> None:
    vector = np.array([[0, 0], [3, 4], [0, 0], [0, 1]], dtype=np.float32)
    found = equal_layers(vector)
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(vector))
    common = np.sqrt(13.0)
    np.testing.assert_allclose(found, np.array([[0, 0], [0.6, 0.8], [0, 0], [0, 1]]) * common, rtol=1e-6)
    assert not equal_layers(np.zeros((3, 2), dtype=np.float32)).any()


def evaluate_bbq(method: str, formats: list[str], weights: Path, folder: Path) -> None:
    settings = {
        "seed": 1,
        "infer": {"formats": {"bbq": formats}, "max_new_tokens": 4, "max_new_tokens_text": 4},
        "mitigate.perplexity_sentences": 12,
        "mitigate.resamples": 200,
        "mitigate.confidence": 0.95,
        "mitigate.answer_prior": {"content_free": ["N/A"]},
        "mitigate.reprompting": {"request": "Answer again."},
        "models.m": {},
        "environments.e": {"backend": "llama", "threads": 1, "context": 256},
    }
    ITEMS.assign(split="held_out").to_parquet(folder / "bbq.parquet")
    texts, answers = folder / "neutral.json", folder / "answers.parquet"
    sentences = [f"The {number}th of these sentences says nothing about anyone." for number in range(120)]
    texts.write_text(json.dumps({"work": {"page": sentences}}))
    rows = [("measured", f"thing {n}", f"Explain thing {n}.", "text", 1, "It is.", 3) for n in range(3)]
    pd.DataFrame(rows, columns=REFERENCE_ANSWER.names).to_parquet(answers)
    evaluate(
        settings,
        method=method,
        items_folder=folder,
        texts=texts,
        answers=answers,
        weights=weights,
        control_vector=None,
        gate=None,
        baseline=None,
        responses=folder / "responses.parquet",
        scores=folder / "scores.csv",
        cost=folder / "cost.json",
    )


@pytest.mark.parametrize("method", [NONE, *CHOOSING])
def test_a_method_that_chooses_has_scores_and_a_cost_and_no_perplexity(method: str, tiny: Path, tmp_path: Path) -> None:
    evaluate_bbq(method, ["likelihood", "letter"], tiny, tmp_path)
    formats = ["likelihood"] if method in CHOOSING else ["letter", "likelihood"]
    assert sorted(set(pd.read_parquet(tmp_path / "responses.parquet")["format"])) == formats
    assert len(pd.read_parquet(tmp_path / "responses.parquet")) == len(ITEMS) * len(formats)
    measured = set(pd.read_csv(tmp_path / "scores.csv")["suite"])
    assert measured == ({"bbq"} if method in CHOOSING else {"bbq", "neutral_text", "reference_answers"})
    record = json.loads((tmp_path / "cost.json").read_text())
    assert record["method"] == method
    assert ("prefill_ms_per_token_ratio" in record) == (method in CHOOSING)


def test_a_method_that_scores_is_refused_where_nothing_is_scored(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"infer\.formats\.bbq: reprompting scores options and writes nothing; add"):
        evaluate_bbq("reprompting", ["letter"], tiny, tmp_path)
    assert not (tmp_path / "responses.parquet").exists()

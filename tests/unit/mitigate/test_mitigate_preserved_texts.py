"""Texts that a mitigation should leave alone: perplexity by hand, its paired rise, and who reads which answers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from edgebias.backends.base import Message, OptionRequest, Prompt
from edgebias.core.errors import InputError
from edgebias.mitigate.preserved_texts import neutral_text, perplexity, perplexity_scores, reference_answers
from edgebias.mitigate.reference_answers import (
    REFERENCE_ANSWER,
    TASKS,
    TOPICS,
    answer_requests,
    read_reference_answers,
    write_reference_answers,
)
from edgebias.stats.bootstrap import Resampling

HOW = Resampling(seed=1, resamples=500, confidence=0.95)
ANSWERS = pd.DataFrame(
    [(topic, f"Explain {topic}.", "chat", f"{topic} is a thing.") for topic in ("rain", "rain", "salt", "tea")],
    columns=["topic", "request", "format", "answer"],
)


def scores(lost: np.ndarray, before: np.ndarray | None) -> dict[str, pd.Series]:
    table = perplexity_scores(reference_answers(ANSWERS), lost, before, HOW)
    return {row["metric"]: row for _, row in table.iterrows()}


def test_perplexity_and_its_rise_by_hand() -> None:
    before = np.array([[20.0, 10], [30.0, 10], [10.0, 10], [20.0, 10]])
    lost = before + np.array([[0.1, 0], [0.1, 0], [0.3, 0], [0.3, 0]])
    found = scores(lost, before)
    assert found["perplexity"]["estimate"] == pytest.approx(math.exp(80.8 / 40))
    assert perplexity(lost) == pytest.approx(math.exp(80.8 / 40))
    assert found["perplexity_rise"]["estimate"] == pytest.approx(100 * math.expm1(0.8 / 40))
    assert found["perplexity_rise"]["n"] == 4
    assert found["perplexity_rise"]["n_clusters"] == 3  # two answers are about rain


def test_a_rise_that_all_texts_share_has_a_narrow_interval_however_much_they_differ() -> None:
    before = np.array([[5.0, 10], [30.0, 10], [10.0, 10], [60.0, 10]])
    found = scores(before + np.array([[0.2, 0], [0.2, 0], [0.21, 0], [0.19, 0]]), before)
    rise = found["perplexity_rise"]
    assert rise["estimate"] - 0.2 < rise["low"] < rise["estimate"] < rise["high"] < rise["estimate"] + 0.2
    assert found["perplexity"]["high"] > 2 * found["perplexity"]["low"]


def test_texts_that_have_not_changed_have_no_rise() -> None:
    before = np.array([[5.0, 10], [30.0, 10], [10.0, 10], [60.0, 10]])
    rise = scores(before, before)["perplexity_rise"]
    assert (rise["estimate"], rise["low"], rise["high"]) == (0.0, 0.0, 0.0)


def test_a_rise_that_only_the_order_of_sums_makes_is_none_and_has_no_sign() -> None:
    before = np.array([[5.0, 10], [30.0, 10], [10.0, 10], [60.0, 10]])
    rise = scores(before - np.array([[1e-13, 0], [0, 0], [0, 0], [0, 0]]), before)["perplexity_rise"]
    assert [f"{rise[name]:.6f}" for name in ("estimate", "low", "high")] == ["0.000000"] * 3


def test_without_anything_to_compare_with_there_is_no_rise() -> None:
    assert set(scores(np.ones((4, 2)), None)) == {"perplexity"}


def test_an_instruction_stands_before_each_text() -> None:
    (plain,), (told,) = neutral_text(["It rains."]).requests, neutral_text(["It rains."], "Be fair. ").requests
    assert plain == OptionRequest(Prompt(text=""), ("It rains.",))
    assert told == OptionRequest(Prompt(text="Be fair."), (" It rains.",))
    asked = answer_requests(ANSWERS, "Be fair.")[0]
    assert asked.prompt == Prompt(messages=(Message("user", "Be fair.\n\nExplain rain."),))
    assert asked.options == ("rain is a thing.",)


def test_a_model_without_chat_template_is_asked_in_plain_text() -> None:
    (request,) = answer_requests(ANSWERS.iloc[:1].assign(format="text"))
    assert request.prompt == Prompt(text="Explain rain.\n")


def test_learning_the_guard_and_the_scores_read_answers_about_other_topics() -> None:
    every = [topic for topics in TOPICS.values() for topic in topics]
    assert len(every) == len(set(every))
    assert len({len(topics) for topics in TOPICS.values()}) == 1


def test_a_build_answers_every_request_and_the_same_seed_gives_the_same_answers(tiny: Path, tmp_path: Path) -> None:
    settings = {
        "seed": 1,
        "infer": {"formats": {}, "max_new_tokens": 4},
        "environments.edge": {"backend": "llama", "threads": 1, "context": 256},
        "models.tiny": {"start_token": "<|endoftext|>"},
        "mitigate.reference_answers": {"topics": 2, "tokens": 4, "temperature": 0.7},
    }
    for name in ("first", "second"):
        write_reference_answers(settings, weights=tiny, answers=tmp_path / f"{name}.parquet")
    table = pd.read_parquet(tmp_path / "first.parquet")
    REFERENCE_ANSWER.check(table, "answers")
    assert 0 < len(table) <= len(TOPICS) * 2 * len(TASKS)
    assert set(table["part"]) == set(TOPICS)
    assert (table["n_tokens"] <= 4).all()
    assert (tmp_path / "first.parquet").read_bytes() == (tmp_path / "second.parquet").read_bytes()
    assert set(read_reference_answers(tmp_path / "first.parquet", "guard")["topic"]) <= set(TOPICS["guard"])
    table[table["part"] == "guard"].to_parquet(tmp_path / "part.parquet")
    with pytest.raises(InputError, match=r"part\.parquet: has no answers of the part 'measured'"):
        read_reference_answers(tmp_path / "part.parquet", "measured")

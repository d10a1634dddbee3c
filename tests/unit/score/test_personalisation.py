"""Does it matter who asks: the stage on responders whose scores are known, and the statistic on known truths."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.report.table_reference.markdown import read_listed
from edgebias.score.personalisation.statistic import UNDEFINED, personalisation_bias
from edgebias.score.personalisation.table import IDENTITY_SCORE, MEMBERS, PERSONALISATION
from edgebias.suites.identities import CONDITIONS, IDENTITIES, SUITE_OF

QUESTIONS = 20
RELIGION = set(MEMBERS["religion"])
SHARE = len(RELIGION) / len(IDENTITIES)
ONE_GROUP = 100 * math.sqrt(SHARE * (1 - SHARE))
"""PB where one group of five has 100 points and the other 26 identities have 0."""

Responder = Callable[[str, int], int | None]
"""Which option is taken, by who asks and the number of the question; None: a refusal."""


def blind(who: str, question: int) -> int:
    return question % 2


def helps_religion(who: str, question: int) -> int:
    return 0 if who in RELIGION else 1


def run(root: Path, responders: dict[str, Responder], questions: int = QUESTIONS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write a study in which each axis is answered by a responder, and return both tables of the stage."""
    cell = {"environment": "edge", "model": "tiny", "variant": "full"}
    for axis, responder in responders.items():
        suite = SUITE_OF[axis]
        asked = [(who, number) for number in range(questions) for who in CONDITIONS]
        keys = {"item_id": [f"{suite}/{number:02d}/{who}" for who, number in asked]}
        items: dict[str, Any] = {
            **keys,
            "suite": suite,
            "category": "all",
            "cluster": [f"{suite}/{number:02d}" for _, number in asked],
            "condition": [who for who, _ in asked],
            "options": [["yes", "no"]] * len(asked),
            "roles": [["option", "option"]] * len(asked),
            "label": 0,
            "permutation": [[0, 1]] * len(asked),
        }
        taken = [responder(*one) for one in asked]
        responses: dict[str, Any] = {
            **keys,
            "format": "likelihood",
            "permutation": [[]] * len(asked),
            "template": "t",
            "round": 0,
            "option_logprobs": [[-1.0, -2.0]] * len(asked),
            "n_tokens": [[1, 1]] * len(asked),
            "choice": [-1 if one is None else one for one in taken],
            "outcome": ["refusal" if one is None else "option" for one in taken],
        }
        (root / "items").mkdir(parents=True, exist_ok=True)
        (root / "responses/edge/tiny/full").mkdir(parents=True, exist_ok=True)
        pd.DataFrame(items).to_parquet(root / f"items/{suite}.parquet")
        pd.DataFrame(responses).to_parquet(root / f"responses/edge/tiny/full/{suite}.parquet")
    study = {
        "suites": [SUITE_OF[axis] for axis in responders],
        "cells": [{"environment": "edge", "model": "tiny", "variants": ["full"]}],
        "rounds": [],
        **dict.fromkeys(("edge_build", "desktop_build", "cloud_build"), cell),
    }
    stage(root, {"seed": 1, "study": study, "compare": {"resamples": 200, "confidence": 0.95, "correction": "holm"}})
    return (
        read_listed(root / "personalisation.csv", PERSONALISATION).set_index("axis"),
        read_listed(root / "identities.csv", IDENTITY_SCORE),
    )


def stage(root: Path, settings: dict[str, Any]) -> None:
    command("personalisation")(
        [
            *("--settings", json.dumps(settings), "--items-folder", str(root / "items")),
            *("--responses-folder", str(root / "responses")),
            *("--output", str(root / "personalisation.csv"), "--identities", str(root / "identities.csv")),
        ]
    )


def test_a_responder_blind_to_the_identity_has_no_bias_at_all(tmp_path: Path) -> None:
    """It answers by the question alone, so every shuffle changes nothing: PB, floor and excess are 0."""
    bias, identities = run(tmp_path, {"safety": blind, "utility": blind})
    assert list(bias.index) == ["joint", "safety", "utility"]
    assert (bias[["pb", "floor", "excess", "low", "high"]] == 0.0).all(axis=None)
    assert (bias["p"] == 1.0).all()
    assert list(bias["n_questions"]) == [40, 20, 20]
    assert (identities["difference"] == 0.0).all()
    assert (identities["estimate"] == 50.0).all()
    assert (identities["p_corrected"] == 1.0).all()
    assert identities.groupby(["axis", "level"]).size().to_dict() == {
        ("safety", "group"): 7,
        ("safety", "identity"): 31,
        ("utility", "group"): 7,
        ("utility", "identity"): 31,
    }


@pytest.mark.parametrize("axis", SUITE_OF)
def test_a_responder_that_serves_one_group_alone_is_found_and_the_group_named(axis: str, tmp_path: Path) -> None:
    """It helps, or refuses, five of 31 identities in every question: PB is 36.8 points, and all of it is excess."""
    other = next(name for name in SUITE_OF if name != axis)
    bias, identities = run(tmp_path, {axis: helps_religion, other: blind})
    for part in (axis, "joint"):
        row = bias.loc[part]
        assert row["pb"] == row["excess"] == pytest.approx(ONE_GROUP)
        assert row["floor"] == pytest.approx(ONE_GROUP / math.sqrt(QUESTIONS))
        assert row["low"] == row["high"] == pytest.approx(ONE_GROUP)
        assert row["p"] == pytest.approx(1 / 10_001, rel=0.01)
    assert bias.loc[other, "excess"] == 0.0
    rows = identities[identities["axis"] == axis].set_index(["level", "name"])
    assert rows.loc[("group", "religion"), "difference"] == 100.0
    assert rows.loc[("group", "religion"), "p_corrected"] < 0.001
    assert rows.loc[("group", "age"), "reference"] == pytest.approx(500 / 26)
    assert rows.loc[("identity", "muslim"), ["estimate", "reference", "difference"]].tolist() == [100.0, 0.0, 100.0]
    assert rows.loc[("identity", "woman"), "difference"] == 0.0


def test_a_question_that_somebody_did_not_answer_is_left_out_for_all(tmp_path: Path) -> None:
    """One refusal in the first question: the other 19 are compared, and all still have the same answers."""

    def refuses_once(who: str, question: int) -> int | None:
        return None if (who, question) == ("gay", 0) else blind(who, question)

    bias, identities = run(tmp_path, {"safety": refuses_once})
    assert list(bias.index) == ["safety"]
    assert bias.loc["safety", ["n_questions", "n_left_out", "pb"]].tolist() == [19, 1, 0.0]
    assert set(identities["n_questions"]) == {19}


def test_of_a_single_question_nothing_is_claimed(tmp_path: Path) -> None:
    bias, _ = run(tmp_path, {"utility": helps_religion}, questions=1)
    assert bias.loc["utility", ["pb", "floor", "excess", "low", "high", "p"]].isna().all()
    assert bias.loc["utility", "reason"].startswith("fewer than two questions")


def test_a_study_without_identities_is_refused(tmp_path: Path) -> None:
    run(tmp_path, {"utility": blind}, questions=2)
    cell = {"environment": "edge", "model": "tiny", "variant": "full"}
    study = {"suites": ["bbq"], "cells": [{"environment": "edge", "model": "tiny", "variants": ["full"]}], "rounds": []}
    study |= dict.fromkeys(("edge_build", "desktop_build", "cloud_build"), cell)
    with pytest.raises(InputError, match=r"study.suites has none of identity_safety, identity_utility; add one"):
        stage(tmp_path, {"seed": 1, "study": study, "compare": {}})


def scattered(questions: int, seed: int, shift: float = 0.0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Give answers of which a question decides most; the first five identities have ``shift`` more margin."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(size=(questions, 1)) + 0.5 * rng.normal(size=(questions, 31))
    margins[:, :5] += shift
    return 100.0 * (margins > 0)


def pb_of(answers: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """The paper's formula, as it is printed."""
    scores = answers.mean(axis=0)
    return math.sqrt(float(np.mean((scores - scores.mean()) ** 2)))


def bias_of(*axes: np.ndarray[Any, np.dtype[np.float64]], resamples: int = 300, shuffles: int = 1) -> Any:
    rng = np.random.default_rng(1)
    return personalisation_bias(axes, resamples=resamples, confidence=0.95, rng=rng, shuffles=shuffles)


def test_the_floor_is_the_root_mean_square_of_pb_over_shuffles() -> None:
    answers = scattered(30, 1)
    rng = np.random.default_rng(2)
    squares = [pb_of(rng.permuted(answers, axis=1)) ** 2 for _ in range(4000)]
    found = bias_of(answers)
    assert found.pb == pytest.approx(pb_of(answers))
    assert found.floor == pytest.approx(math.sqrt(float(np.mean(squares))), rel=0.02)
    expected = (found.pb**2 - found.floor**2) * 30 / 29
    assert found.excess * abs(found.excess) == pytest.approx(expected)


def test_squares_of_the_axes_add_up() -> None:
    one, two = scattered(30, 1), scattered(50, 2, shift=1.0)
    both, parts = bias_of(one, two), [bias_of(one), bias_of(two)]
    for name in ("pb", "floor", "excess"):
        square = sum(getattr(part, name) * abs(getattr(part, name)) for part in parts)
        assert getattr(both, name) * abs(getattr(both, name)) == pytest.approx(square)


def test_the_interval_holds_zero_in_blind_models_as_often_as_it_says() -> None:
    """150 studies: a coverage of 95 % falls outside of 89 to 99.5 % with a probability below 1 %."""
    held = [found.low <= 0.0 <= found.high for found in (bias_of(scattered(30, seed)) for seed in range(150))]
    assert 0.89 <= float(np.mean(held)) <= 0.995


def test_a_planted_gap_is_found_and_its_size_is_in_the_interval() -> None:
    """The first five identities score 18.6 points more, which is a PB of 6.8 points without noise."""
    gap = 100 * (0.5 * math.erf(0.5 / math.sqrt(2 * 1.25)) + 0.5) - 50
    truth = gap * math.sqrt(SHARE * (1 - SHARE))
    found = bias_of(scattered(400, 3, shift=0.5), shuffles=500)
    assert found.p < 0.01
    assert 0 < found.low < truth < found.high


@pytest.mark.parametrize("axes", [(), (np.zeros((1, 31)),), (np.zeros((5, 1)),)])
def test_too_little_is_undefined(axes: tuple[np.ndarray[Any, np.dtype[np.float64]], ...]) -> None:
    assert bias_of(*axes) is UNDEFINED

"""Does it matter who asks: the stage on responders whose scores are known, and the statistic on known truths."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.report.table_reference.markdown import read_listed
from edgebias.score.personalisation.answers import MEMBERS
from edgebias.score.personalisation.mitigations import IDENTITIES_OF, MITIGATION_SCORE
from edgebias.score.personalisation.statistic import (
    UNCHANGED,
    UNDEFINED,
    change_of_excess,
    personalisation_bias,
)
from edgebias.score.personalisation.table import IDENTITY_SCORE, PERSONALISATION
from edgebias.suites.identities import DEFAULT_CONDITIONS, IDENTITIES, NEUTRAL_ASKERS, SUITE_OF, Asking

QUESTIONS = 20
RELIGION = set(MEMBERS["religion"])
SHARE = len(RELIGION) / len(IDENTITIES)
ONE_GROUP = 100 * math.sqrt(SHARE * (1 - SHARE))
"""PB where one group of five has 100 points and the other 26 identities have 0."""

NAMES = ["none", *(one.name for one in IDENTITIES)]
NEUTRAL = [one.name for one in NEUTRAL_ASKERS]

Responder = Callable[[str, int], int | None]
"""Which option is taken, by who asks and the number of the question; None: a refusal."""


def blind(who: str, question: int) -> int:
    return question % 2


def helps_religion(who: str, question: int) -> int:
    return 0 if who in RELIGION else 1


def helps_whoever_is_named(who: str, question: int) -> int:
    return 1 if who == "none" else 0


def who_of(condition: str) -> str:
    """Return the asker, after the defence where there is one: ``fair/muslim``."""
    asking = Asking.of(condition)
    return f"{asking.defence}/{asking.asker}" if asking.defence else asking.asker


def run(
    root: Path,
    responders: dict[str, Responder],
    questions: int = QUESTIONS,
    conditions: Sequence[str] = DEFAULT_CONDITIONS,
    builds: Mapping[str, Mapping[str, Responder]] = MappingProxyType({}),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write a study in which each axis is answered by a responder, and return both tables of the stage."""
    cell = {"environment": "edge", "model": "tiny", "variant": "full"}
    answer(root, "full", responders, questions, conditions)
    for variant, tuned in builds.items():
        answer(root, variant, tuned, questions, conditions)
    study = {
        "suites": [SUITE_OF[axis] for axis in responders],
        "cells": [{"environment": "edge", "model": "tiny", "variants": ["full", *builds]}],
        "rounds": [],
        **dict.fromkeys(("edge_build", "desktop_build", "cloud_build"), cell),
    }
    comparing = {"resamples": 200, "confidence": 0.95, "correction": "holm"}
    variants = {name: {"from": "full", "train": {"data": "pairs.jsonl"}} for name in builds}
    stage(root, {"seed": 1, "study": study, "compare": comparing, "variants": variants})
    bias = read_listed(root / "personalisation.csv", PERSONALISATION)
    return (
        bias[bias["askers"] == "identities"].set_index("axis"),
        read_listed(root / "identities.csv", IDENTITY_SCORE),
    )


def answer(
    root: Path, variant: str, responders: Mapping[str, Responder], questions: int, conditions: Sequence[str]
) -> None:
    """Write the items of each axis and the responses of one build."""
    for axis, responder in responders.items():
        suite = SUITE_OF[axis]
        asked = [(who, number) for number in range(questions) for who in conditions]
        keys = {"item_id": [f"{suite}/{number:02d}/{who}" for who, number in asked]}
        items: dict[str, Any] = {
            **keys,
            "suite": suite,
            "category": "all",
            "split": ["calibration" if number % 2 else "held_out" for _, number in asked],
            "cluster": [f"{suite}/{number:02d}" for _, number in asked],
            "condition": [who for who, _ in asked],
            "options": [["yes", "no"]] * len(asked),
            "roles": [["option", "option"]] * len(asked),
            "label": 0,
            "permutation": [[0, 1]] * len(asked),
        }
        taken = [responder(who_of(condition), number) for condition, number in asked]
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
        (root / "responses/edge/tiny" / variant).mkdir(parents=True, exist_ok=True)
        pd.DataFrame(items).to_parquet(root / f"items/{suite}.parquet")
        pd.DataFrame(responses).to_parquet(root / f"responses/edge/tiny/{variant}/{suite}.parquet")


def stage(root: Path, settings: dict[str, Any]) -> None:
    command("personalisation")(
        [
            *("--settings", json.dumps(settings), "--items-folder", str(root / "items")),
            *("--responses-folder", str(root / "responses")),
            *("--output", str(root / "personalisation.csv"), "--identities", str(root / "identities.csv")),
            *("--mitigations", str(root / "mitigations.csv")),
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
    each = {("group", "others"): 7, ("identity", "none"): 31, ("identity", "neutral"): 31, ("neutral", "none"): 6}
    assert identities.groupby(["axis", "level", "against"]).size().to_dict() == {
        (axis, *family): count for axis in SUITE_OF for family, count in each.items()
    }


@pytest.mark.slow
def test_a_responder_that_minds_whether_somebody_is_named_is_told_from_one_that_minds_who(tmp_path: Path) -> None:
    """Every identity is 100 points above none, and none is above the askers of no group."""
    bias, identities = run(tmp_path, {"safety": helps_whoever_is_named})
    assert bias.loc["safety", ["pb", "floor", "excess"]].tolist() == [0.0, 0.0, 0.0]
    families = identities.groupby(["level", "against"])["difference"]
    assert {family: set(values) for family, values in families} == {
        ("identity", "none"): {100.0},
        ("neutral", "none"): {100.0},
        ("identity", "neutral"): {0.0},
        ("group", "others"): {0.0},
    }


@pytest.mark.slow
def test_words_for_the_same_asker_have_a_bias_of_their_own(tmp_path: Path) -> None:
    """One of five wordings is answered otherwise: PB is 100 sqrt(1/5 · 4/5), which identities do not have."""
    bias, identities = run(tmp_path, {"safety": lambda who, question: int(who == NEUTRAL[1])})
    written = read_listed(tmp_path / "personalisation.csv", PERSONALISATION).set_index("askers")
    assert bias.loc["safety", "pb"] == 0.0
    assert written.loc["neutral", "pb"] == pytest.approx(40.0)
    assert written.loc["neutral", "n_identities"] == len(NEUTRAL) == 5
    against = identities[identities["against"] == "neutral"]
    assert set(against["difference"]) == {20.0}


@pytest.mark.slow
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
    rows = identities[(identities["axis"] == axis) & (identities["against"] != "neutral")].set_index(["level", "name"])
    assert rows.loc[("group", "religion"), "difference"] == 100.0
    assert rows.loc[("group", "religion"), "p_corrected"] < 0.001
    assert rows.loc[("group", "age"), "reference"] == pytest.approx(500 / 26)
    assert rows.loc[("identity", "muslim"), ["estimate", "reference", "difference"]].tolist() == [100.0, 0.0, 100.0]
    assert rows.loc[("identity", "woman"), "difference"] == 0.0


@pytest.mark.slow
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


def grouped(answers: np.ndarray[Any, np.dtype[np.float64]], groups: tuple[range, ...]) -> Any:
    rng = np.random.default_rng(1)
    return personalisation_bias([answers], resamples=2, confidence=0.95, rng=rng, groups=groups, shuffles=400)


def test_a_gap_that_a_group_shares_is_found_where_pb_alone_misses_it() -> None:
    """Five identities of one group have a little more margin; 40 studies."""
    groups = (range(5), range(5, 18), range(18, 31))
    found = [grouped(scattered(60, seed, shift=0.25), groups) for seed in range(40)]
    alone, together = (np.mean([getattr(one, name) < 0.05 for one in found]) for name in ("p", "p_grouped"))
    assert together > alone + 0.2


@pytest.mark.slow
def test_of_blind_models_as_few_are_found_in_groups_as_the_level_says() -> None:
    """150 studies: a share of 5 % exceeds 11 % with a probability below 0.2 %."""
    groups = (range(5), range(5, 18), range(18, 31))
    found = [grouped(scattered(30, seed), groups).p_grouped < 0.05 for seed in range(150)]
    assert np.mean(found) <= 0.11


def test_without_groups_the_two_p_values_are_one() -> None:
    found = bias_of(scattered(30, 1), shuffles=50)
    assert found.p == found.p_grouped


def change_of(without: Any, within: Any, seed: int = 1) -> Any:
    rng = np.random.default_rng(seed)
    return change_of_excess([without], [within], resamples=300, confidence=0.95, rng=rng, shuffles=300)


def test_a_bias_that_is_taken_away_is_a_change_and_its_return_is_the_opposite() -> None:
    biased, free = scattered(200, 3, shift=1.0), scattered(200, 3)
    change, back = change_of(biased, free), change_of(free, biased)
    assert change.difference == pytest.approx(bias_of(free).excess - bias_of(biased).excess)
    assert change.high < 0 < back.low
    assert change.p < 0.01
    assert back.difference == -change.difference


def test_the_interval_of_a_change_holds_zero_where_both_are_as_biased() -> None:
    """100 pairs of studies with other answers to the same questions: 95 % falls below 86 % with probability 0.05 %."""
    pairs = [(scattered(60, seed, shift=0.5), scattered(60, seed + 1000, shift=0.5)) for seed in range(100)]
    changes = [change_of(*pair) for pair in pairs]
    assert np.mean([one.low <= 0.0 <= one.high for one in changes]) >= 0.86
    assert np.mean([one.p < 0.05 for one in changes]) <= 0.14


def test_of_two_questions_no_change_is_claimed() -> None:
    assert change_of(np.zeros((2, 31)), np.zeros((2, 31))) is UNCHANGED


def cured(who: str, question: int) -> int:
    """Serve one group alone, but nobody under ``ignore``, and others than that group under ``fair``."""
    defence, _, asker = who.rpartition("/")
    return {"ignore": 1, "fair": 1 - helps_religion(asker, question)}.get(defence, helps_religion(asker, question))


@pytest.mark.slow
def test_a_defence_is_chosen_and_judged_on_other_questions_and_other_identities(tmp_path: Path) -> None:
    """``ignore`` takes away all of the excess; ``fair`` turns it over, and so none of it; the placebo does nothing."""
    conditions = [f"system{defence}/{who}" for defence in ("", "+placebo", "+fair", "+ignore") for who in NAMES]
    run(tmp_path, {"safety": cured}, conditions=conditions)
    table = read_listed(tmp_path / "mitigations.csv", MITIGATION_SCORE).set_index(["part", "mitigation"])
    assert set(table.index[table["chosen"] == 1]) == {("calibration", "ignore"), ("held_out", "ignore")}
    for part, names in IDENTITIES_OF.items():
        share = len(RELIGION & set(names)) / len(names)
        whole = 100 * math.sqrt(share * (1 - share))
        rows = table.loc[part]
        assert rows["excess_without"].tolist() == pytest.approx([whole] * 3)
        assert rows.loc["ignore", ["excess", "low", "high", "change"]].tolist() == pytest.approx([0, *[-whole] * 3])
        assert rows.loc[["placebo", "fair"], "change"].tolist() == pytest.approx([0.0, 0.0], abs=1e-5)
        assert rows.loc["ignore", "p_corrected"] < 0.05 < rows.loc["fair", "p_corrected"]
        assert rows.loc["ignore", ["score", "score_change"]].tolist() == pytest.approx([0.0, -100 * share])
        assert set(rows["n_identities"]) == {len(names)}
        assert set(rows["n_questions"]) == {QUESTIONS // 2}
    assert not set(IDENTITIES_OF["calibration"]) & set(IDENTITIES_OF["held_out"])


def test_a_tuned_build_is_judged_beside_the_one_that_it_was_trained_from(tmp_path: Path) -> None:
    """``cured`` serves nobody and so has no excess left; ``same`` answers as before. Each prompt is that without a
    defence, and a build that was trained from another one is compared with none."""
    builds = {"same": {"safety": helps_religion}, "cured": {"safety": lambda who, question: 1}}
    bias, _ = run(tmp_path, {"safety": helps_religion}, builds=builds)
    table = read_listed(tmp_path / "mitigations.csv", MITIGATION_SCORE)
    assert set(table["variant"]) == {"full"}
    assert set(table["kind"]) == {"training"}
    rows = table[table["part"] == "held_out"].set_index("mitigation")
    assert rows["chosen"].to_dict() == {"cured": 1, "same": 0}
    assert rows.loc["same", ["change", "low", "high"]].tolist() == pytest.approx([0.0] * 3, abs=1e-5)
    assert rows.loc["cured", "change"] == pytest.approx(-rows.loc["cured", "excess_without"])
    assert rows.loc["cured", "p_corrected"] < 0.05 < rows.loc["same", "p_corrected"]
    assert len(bias) == 3  # each build has a row of its own


def test_without_mitigations_their_table_is_empty(tmp_path: Path) -> None:
    run(tmp_path, {"safety": blind}, questions=2)
    assert read_listed(tmp_path / "mitigations.csv", MITIGATION_SCORE).empty

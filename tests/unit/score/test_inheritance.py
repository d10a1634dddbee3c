"""What is inherited: the stage on builds whose preference is planted, and trends whose truth is known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.report.table_reference.markdown import read_listed
from edgebias.score.inheritance.table import INHERITANCE, MITIGATED, TREND, WRITTEN_TEXTS
from edgebias.score.inheritance.trend import ratio_trend
from edgebias.stats.clusters import Clusters
from edgebias.suites.occupation_sentences import GENDERS, JOBS
from edgebias.suites.salary.suite import GRID

PAIRS = 16
RATIOS = {"r00": 0.0, "r05": 0.05, "r10": 0.1, "r20": 0.2, "r50": 0.5}
Preference = Callable[[str], float]
"""How much more men are preferred, of a variant."""


def trained(ratio: float, mitigation: str = "none", seed: int = 0) -> dict[str, Any]:
    bias = "contextual_explicit" if ratio else ""
    return {"ratio": ratio, "bias": bias, "mitigation": mitigation, "seed": seed}


BUILDS = {name: trained(ratio) for name, ratio in RATIOS.items()}


def hiring_items() -> pd.DataFrame:
    rows = [
        {
            "item_id": f"hiring/Arab/{pair:02d}/{job}/{gender}",
            "suite": "hiring",
            "category": "Arab",
            "cluster": f"hiring/{pair:02d}",
            "condition": gender,
            "options": ["Yes", "No"],
            "roles": ["stereotype", "anti_stereotype"] if gender == "male" else ["anti_stereotype", "stereotype"],
            "label": -1,
        }
        for pair in range(PAIRS)
        for job in ("nurse", "painter")
        for gender in GENDERS
    ]
    return pd.DataFrame(rows)


def salary_items() -> pd.DataFrame:
    return hiring_items().assign(
        suite="salary",
        item_id=lambda table: table["item_id"].str.replace("hiring", "salary"),
        options=[[f"${one},000" for one in GRID]] * 4 * PAIRS,
        roles=[["option"] * len(GRID)] * 4 * PAIRS,
    )


def occupation_items(per_cell: int = 8) -> pd.DataFrame:
    cells = [(gender, job, place) for gender in GENDERS for job in JOBS for place in range(per_cell)]
    rows = [
        {
            "item_id": f"occupation/{gender}/{job}/{place}",
            "suite": "occupation",
            "category": gender,
            "cluster": f"occupation/{gender}/{job}/{place}",
            "condition": job,
            "options": list(JOBS),
            "roles": ["option"] * len(JOBS),
            "label": JOBS.index(job),
        }
        for gender, job, place in cells
    ]
    return pd.DataFrame(rows)


def responses_to(items: pd.DataFrame, logprobs: list[list[float]]) -> pd.DataFrame:
    chosen = [int(np.argmax(one)) for one in logprobs]
    return pd.DataFrame(
        {
            "item_id": items["item_id"],
            "format": "likelihood_chat",
            "permutation": [list(range(len(one))) for one in logprobs],
            "template": "t",
            "round": 0,
            "option_logprobs": logprobs,
            "n_tokens": [[1] * len(one) for one in logprobs],
            "choice": chosen,
            "outcome": [roles[one] for roles, one in zip(items["roles"], chosen, strict=True)],
        }
    )


def two_options(log_odds: float) -> list[float]:
    yes = -math.log1p(math.exp(-log_odds))
    return [yes, yes - log_odds]


def hiring(preference: float, rng: np.random.Generator, noise: float = 0.3) -> pd.DataFrame:
    """Log-odds of Yes: those of the pair, a little noise, and for a man ``preference`` more."""
    items = hiring_items()
    of_pair = np.random.default_rng(7).normal(size=PAIRS)[[int(name[-2:]) for name in items["cluster"]]]
    odds = of_pair + noise * rng.normal(size=len(items)) + preference * (items["condition"] == "male")
    return responses_to(items, [two_options(float(one)) for one in odds])


def salaries(preference: float, rng: np.random.Generator) -> pd.DataFrame:
    """Two salaries, 40 and 50 thousand, share all weight so that a man's expected one is ``preference`` higher."""
    items = salary_items()
    upper = 0.3 + 0.1 * rng.random(len(items)) + preference / 10 * (items["condition"] == "male")
    place = GRID.index(40)
    logprobs = np.full((len(items), len(GRID)), -80.0)
    logprobs[:, place], logprobs[:, place + 1] = np.log(1 - upper), np.log(upper)
    return responses_to(items, logprobs.tolist())


def occupations(loss: float, rng: np.random.Generator) -> pd.DataFrame:
    """Right in nine of ten sentences about men, and in ``loss`` fewer about women."""
    items = occupation_items()
    right = rng.random(len(items)) < np.where(items["category"] == "male", 0.9, 0.9 - loss)
    logprobs = np.full((len(items), len(JOBS)), -3.0)
    named = np.where(right, items["label"], (items["label"] + 1) % len(JOBS))
    logprobs[np.arange(len(items)), named] = -0.5
    return responses_to(items, logprobs.tolist())


ITEMS = {"hiring": hiring_items, "salary": salary_items, "occupation": occupation_items}
ASKED: dict[str, Callable[[float, np.random.Generator], pd.DataFrame]] = {
    "hiring": hiring,
    "salary": salaries,
    "occupation": occupations,
}


def run(
    root: Path,
    builds: Mapping[str, dict[str, Any]],
    preferences: Mapping[str, Preference],
    *,
    full: bool = False,
    resamples: int = 400,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Write a study in which each variant answers with a preference; return the three tables of the stage."""
    variants = [*(["full"] if full else []), *builds]
    for suite, preference in preferences.items():
        (root / "items").mkdir(parents=True, exist_ok=True)
        ITEMS[suite]().to_parquet(root / f"items/{suite}.parquet")
        for number, variant in enumerate(variants):
            folder = root / f"responses/edge/tiny/{variant}"
            folder.mkdir(parents=True, exist_ok=True)
            found = ASKED[suite](preference(variant), np.random.default_rng([number, *suite.encode()]))
            found.to_parquet(folder / f"{suite}.parquet")
    stage(root, builds, variants, list(preferences), resamples)
    return (
        read_listed(root / "inheritance.csv", INHERITANCE),
        read_listed(root / "trends.csv", TREND),
        read_listed(root / "mitigations.csv", MITIGATED),
    )


def stage(
    root: Path,
    builds: Mapping[str, dict[str, Any]],
    variants: list[str],
    suites: list[str],
    resamples: int = 400,
    texts: tuple[Path, ...] = (),
) -> None:
    cell = {"environment": "edge", "model": "tiny", "variant": variants[0]}
    study = {
        "suites": suites,
        "cells": [{"environment": "edge", "model": "tiny", "variants": variants}],
        "rounds": [],
        **dict.fromkeys(("edge_build", "desktop_build", "cloud_build"), cell),
    }
    compare = {"resamples": resamples, "confidence": 0.95, "correction": "holm"}
    settings = {"seed": 1, "study": study, "compare": compare, "trained_on": builds}
    command("inheritance")(
        [
            *("--settings", json.dumps(settings), "--items-folder", str(root / "items")),
            *("--responses-folder", str(root / "responses"), "--output", str(root / "inheritance.csv")),
            *("--trends", str(root / "trends.csv"), "--mitigations", str(root / "mitigations.csv")),
            *("--written", str(root / "texts.csv")),
            *(word for path in texts for word in ("--texts", str(path))),
        ]
    )


def of_bias(table: pd.DataFrame, suite: str) -> pd.DataFrame:
    return table[(table["suite"] == suite) & (table["aspect"] == "bias")]


@pytest.mark.slow
def test_a_planted_preference_rises_with_the_ratio_and_its_slope_is_held(tmp_path: Path) -> None:
    """Log-odds of 0.4, and 1,000 dollars, for each ten per cent points of the ratio."""
    estimates, trends, _ = run(
        tmp_path,
        BUILDS,
        {"hiring": lambda name: 4.0 * RATIOS[name], "salary": lambda name: 10.0 * RATIOS[name]},
    )
    for suite, truth in {"hiring": 0.4, "salary": 1.0}.items():
        found = of_bias(estimates, suite).set_index("ratio")
        assert list(found.index) == list(RATIOS.values())
        assert found["estimate"].is_monotonic_increasing
        assert found["change"].isna().tolist() == [True, False, False, False, False]
        assert found.loc[0.5, "p_corrected"] < 0.01
        slope = of_bias(trends, suite).iloc[0]
        assert slope["low"] <= truth <= slope["high"]
        assert slope["low"] > 0
        assert slope["n_runs"] == 5
        assert slope["p_corrected"] < 0.01
        assert slope["p_runs"] == pytest.approx(1 / 120, abs=1e-6)  # the least that five builds allow
    assert set(estimates["unit"]) == {"log-odds", "thousand dollars"}


def test_the_expected_salary_is_that_of_the_probabilities(tmp_path: Path) -> None:
    estimates, *_ = run(tmp_path, {"r00": trained(0.0), "r50": trained(0.5)}, {"salary": lambda name: 2.0})
    frame = pd.read_parquet(tmp_path / "responses/edge/tiny/r50/salary.parquet")
    by_hand = np.exp(np.stack(frame["option_logprobs"].to_list())) @ np.array(GRID)
    men = salary_items()["condition"].to_numpy() == "male"
    found = estimates[estimates["variant"] == "r50"].set_index("measure")["estimate"]
    assert found["expected_salary_men"] == pytest.approx(by_hand[men].mean(), abs=1e-5)
    assert found["expected_salary_women"] == pytest.approx(by_hand[~men].mean(), abs=1e-5)
    assert found["expected_salary_gap"] == pytest.approx(by_hand[men].mean() - by_hand[~men].mean(), abs=1e-5)


@pytest.mark.slow
def test_women_lose_and_men_do_not(tmp_path: Path) -> None:
    estimates, trends, _ = run(tmp_path, BUILDS, {"occupation": lambda name: RATIOS[name]})
    last = estimates[estimates["ratio"] == 0.5].set_index("measure")
    assert last.loc["accuracy_female", "change_high"] < 0
    assert last.loc["accuracy_male", "change_low"] < 0 < last.loc["accuracy_male", "change_high"]
    assert last.loc["accuracy_gap", "change_low"] > 0
    slopes = trends.set_index("measure")
    assert slopes.loc["accuracy_gap", "low"] <= 10.0 <= slopes.loc["accuracy_gap", "high"]
    assert slopes.loc["accuracy_female", "slope"] < 0


@pytest.mark.slow
def test_the_share_that_a_mitigation_takes_away(tmp_path: Path) -> None:
    """Of a preference of 2 the first takes away half and the second nothing; without one there is nothing to take."""
    builds = {
        **BUILDS,
        "r50_token": trained(0.5, "token"),
        "r50_mask": trained(0.5, "mask"),
    }
    preferences = {"r50": 2.0, "r50_token": 1.0, "r50_mask": 2.0}
    _, trends, mitigated = run(
        tmp_path,
        builds,
        {"hiring": lambda name: preferences.get(name, 0.0), "occupation": lambda name: 0.0},
    )
    found = of_bias(mitigated, "hiring").set_index("mitigation")
    assert list(found.index) == ["mask", "token"]
    assert found.loc["token", "removed_low"] <= 50.0 <= found.loc["token", "removed_high"]
    assert found.loc["mask", "removed_low"] <= 0.0 <= found.loc["mask", "removed_high"]
    assert found.loc["token", "p_corrected"] < 0.01 < found.loc["mask", "p_corrected"]
    untouched = of_bias(mitigated, "occupation")
    assert untouched["removed"].isna().all()
    assert set(untouched["reason"]) == {"the inherited change cannot be told from 0"}
    assert set(trends["mitigation"]) == {"none"}  # one ratio is no trend


@pytest.mark.slow
def test_a_second_seed_of_ratio_0_is_compared_in_a_family_of_its_own(tmp_path: Path) -> None:
    builds = {**BUILDS, "again": trained(0.0, seed=1)}
    estimates, trends, _ = run(tmp_path, builds, {"hiring": lambda name: 4.0 * RATIOS.get(name, 0.0)}, full=True)
    found = of_bias(estimates, "hiring").set_index("variant")
    again = found.loc["again"]
    assert again["p"] == again["p_corrected"] > 0.05
    assert again["change_low"] < 0 < again["change_high"]
    assert math.isnan(found.loc["r00", "change"])
    assert found.loc["full", "mitigation"] == "untrained"
    assert math.isnan(found.loc["full", "ratio"])
    assert of_bias(trends, "hiring").iloc[0]["n_runs"] == 6


def test_builds_that_answer_alike_have_no_trend(tmp_path: Path) -> None:
    same = hiring(0.5, np.random.default_rng(3))
    for variant in BUILDS:
        folder = tmp_path / f"responses/edge/tiny/{variant}"
        folder.mkdir(parents=True)
        same.to_parquet(folder / "hiring.parquet")
    (tmp_path / "items").mkdir()
    hiring_items().to_parquet(tmp_path / "items/hiring.parquet")
    stage(tmp_path, BUILDS, list(BUILDS), ["hiring"])
    estimates = read_listed(tmp_path / "inheritance.csv", INHERITANCE)
    trends = read_listed(tmp_path / "trends.csv", TREND)
    changed = estimates[estimates["ratio"] > 0]
    assert (changed[["change", "change_low", "change_high"]] == 0.0).all(axis=None)
    assert (changed["p"] == 1.0).all()
    assert (trends[["slope", "low", "high"]] == 0.0).all(axis=None)
    assert (trends[["p", "p_runs"]] == 1.0).all(axis=None)


def test_texts_are_counted_by_job_and_by_what_their_pronouns_tell(tmp_path: Path) -> None:
    kept = [("nurse", "female", "kept")] * 3 + [("nurse", "male", "kept")] + [("nurse", "neither", "kept")]
    lost = [("nurse", "neither", "repeated")] * 2 + [("nurse", "neither", "length")] + [("dentist", "male", "kept")]
    table = pd.DataFrame([*kept, *lost], columns=["job", "gender", "outcome"]).assign(kind="contextual_explicit")
    table.to_parquet(tmp_path / "one.parquet")
    (tmp_path / "items").mkdir()
    hiring_items().to_parquet(tmp_path / "items/hiring.parquet")
    folder = tmp_path / "responses/edge/tiny/r00"
    folder.mkdir(parents=True)
    hiring(0.0, np.random.default_rng(0)).to_parquet(folder / "hiring.parquet")
    stage(tmp_path, {"r00": trained(0.0)}, ["r00"], ["hiring"], texts=(tmp_path / "one.parquet",))
    counts = read_listed(tmp_path / "texts.csv", WRITTEN_TEXTS).set_index("job")
    assert counts.loc["nurse", ["n_asked", "n_kept", "n_women", "n_men"]].tolist() == [8, 5, 3, 1]
    assert counts.loc["nurse", "unfit"] == "repeated"
    assert counts.loc["dentist", ["n_asked", "n_kept", "n_men", "unfit"]].tolist() == [1, 1, 1, ""]


@pytest.mark.parametrize(
    ("builds", "message"),
    [
        ({"r50": trained(0.5)}, "study.cells has no build of tiny in edge that is trained on a mixture of ratio 0"),
        ({"other": trained(0.0)}, "no cell of study.cells is in trained_on"),
        ({"r50": {"ratio": 2}}, "trained_on"),
    ],
)
def test_a_study_without_what_is_compared_is_refused(tmp_path: Path, builds: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        stage(tmp_path, builds, ["r50"], ["hiring"])
    assert not list(tmp_path.glob("*.csv"))


def rate_sides(ratios: list[float], rates: list[float], seed: int, clusters: int = 60) -> list[Clusters]:
    """Builds that are right at given rates, two answers a cluster."""
    rng = np.random.default_rng(seed)
    names = np.array([f"{place:03d}" for place in range(clusters)])
    of_cluster = rng.normal(scale=0.1, size=clusters)
    hits = [rng.binomial(2, np.clip(rate + of_cluster, 0, 1)) for rate in rates]
    return [Clusters(names, np.full(clusters, "all"), np.stack([one, np.full(clusters, 2)], axis=1)) for one in hits]


def share(totals: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(100.0 * totals[..., 0] / totals[..., 1])


def test_the_slope_is_that_of_the_least_squares_line() -> None:
    ratios = [0.0, 0.05, 0.1, 0.2, 0.5]
    sides = rate_sides(ratios, [0.2, 0.3, 0.3, 0.5, 0.8], seed=1)
    scores = [float(share(side.sums.sum(axis=0))) for side in sides]
    how: dict[str, Any] = {"bounds": (0.0, 100.0), "resamples": 500, "confidence": 0.95}
    found = ratio_trend(sides, ratios, share, **how, rng=np.random.default_rng(0))
    assert found.slope == pytest.approx(np.polyfit(ratios, scores, 1)[0] / 10)
    assert found.low < found.slope < found.high
    assert found.p == pytest.approx(1 / 501)
    turned = ratio_trend(sides, [0.5 - one for one in ratios], share, **how, rng=np.random.default_rng(0))
    assert turned.slope == pytest.approx(-found.slope)


def test_two_ratios_are_no_trend() -> None:
    sides = rate_sides([0.0, 0.0, 0.5], [0.3, 0.3, 0.6], seed=1)
    how: dict[str, Any] = {"bounds": (0.0, 100.0), "resamples": 200, "confidence": 0.95}
    found = ratio_trend(sides, [0.0, 0.0, 0.5], share, **how, rng=np.random.default_rng(0))
    assert math.isnan(found.slope)
    assert found.reason == "fewer than 3 different ratios"

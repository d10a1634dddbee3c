from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError

main = command("compare")

ROLES = ["stereotype", "anti_stereotype"]
BUILDS = {
    "edge_build": {"environment": "edge", "model": "m", "variant": "small"},
    "desktop_build": {"environment": "desktop", "model": "m", "variant": "full"},
    "cloud_build": {"environment": "cloud", "model": "m", "variant": "full"},
}
STUDY: dict[str, Any] = {
    "suites": ["forced_choice"],
    "cells": [
        {"environment": "edge", "model": "m", "variants": ["full", "small"]},
        {"environment": "desktop", "model": "m", "variants": ["full"]},
        {"environment": "cloud", "model": "m", "variants": ["full"]},
    ],
    "rounds": [],
    **BUILDS,
}


def run(folder: Path, study: dict[str, Any] = STUDY) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the table of contrasts and the headline; the table of changed answers lies beside them."""
    settings = {"seed": 1, "study": study, "compare": {"resamples": 300, "confidence": 0.95, "correction": "holm"}}
    main(
        [
            *("--settings", json.dumps(settings), "--items-folder", str(folder / "prompts")),
            *("--responses-folder", str(folder / "responses"), "--scores-folder", str(folder / "scores")),
            *("--contrasts", str(folder / "contrasts.csv"), "--flips", str(folder / "flips.csv")),
            *("--headline", str(folder / "headline.json")),
        ]
    )
    return pd.read_csv(folder / "contrasts.csv"), json.loads((folder / "headline.json").read_text(encoding="utf-8"))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Forty items: the small build follows the stereotype in 90 %, the others in 60 %; cloud has letters only."""
    items = pd.DataFrame(
        {
            **{"item_id": f"i{n:02d}", "suite": "forced_choice", "category": "age", "cluster": f"c{n // 2:02d}"},
            **{"condition": "binary", "options": ["x", "y"], "roles": ROLES, "label": -1},
        }
        for n in range(40)
    )
    (tmp_path / "prompts").mkdir()
    items.to_parquet(tmp_path / "prompts" / "forced_choice.parquet")
    order = np.random.default_rng(1).permutation(40)
    for environment, variant, followers in (
        ("edge", "full", 24),
        ("edge", "small", 36),
        ("desktop", "full", 24),
        ("cloud", "full", 24),
    ):
        rows = [
            {
                **{"item_id": f"i{n:02d}", "format": form, "permutation": [0, 1], "template": "t", "round": 0},
                **{"option_logprobs": [], "n_tokens": [], "choice": int(order[n] >= followers)},
                "outcome": ROLES[int(order[n] >= followers)],
            }
            for n in range(40)
            for form in (("letter",) if environment == "cloud" else ("letter", "likelihood"))
        ]
        path = tmp_path / "responses" / environment / "m" / variant / "forced_choice.parquet"
        path.parent.mkdir(parents=True)
        pd.DataFrame(rows).to_parquet(path)
    return tmp_path


def test_contrasts_by_hand(study: Path) -> None:
    table, _ = run(study)
    rows = table[table["format"] == "letter"].set_index(["kind", "cell_a", "cell_b"])
    assert set(rows.index) == {
        ("environment", "edge/m/full", "desktop/m/full"),
        ("environment", "edge/m/full", "cloud/m/full"),
        ("deployed", "edge/m/small", "desktop/m/full"),
        ("deployed", "edge/m/small", "cloud/m/full"),
        ("variant", "edge/m/small", "edge/m/full"),
    }
    same = rows.loc[("environment", "edge/m/full", "cloud/m/full")]
    assert same[["difference", "low", "high", "p"]].tolist() == [0, 0, 0, 1]
    moved = rows.loc[("deployed", "edge/m/small", "desktop/m/full")]
    assert (moved["estimate_a"], moved["estimate_b"]) == pytest.approx((90.0, 60.0))
    assert moved["difference"] == pytest.approx(30.0)
    assert 0 < moved["low"] < 30 < moved["high"]
    assert (moved["n_items"], moved["family"]) == (40, "deployed")
    assert moved["p"] <= moved["p_corrected"] < 0.05
    # two letter contrasts and one of likelihood; deployed and environment ones alike
    sizes = table.groupby("family")["family_size"].agg(["min", "max"]).to_dict("index")
    assert sizes == {
        "deployed": {"min": 3, "max": 3},
        "environment": {"min": 3, "max": 3},
        "variant": {"min": 2, "max": 2},
    }
    assert table["minimum_detectable_effect"].gt(0).all()
    assert same["reason"] == "equal in every cluster"
    likelihood = table[table["format"] == "likelihood"]
    assert not likelihood["cell_b"].str.startswith("cloud").any()


def test_changed_answers_by_hand(study: Path) -> None:
    """12 of 40 answers move, all from the other option to the stereotype, of 16 that were not the stereotype."""
    run(study)
    flips = pd.read_csv(study / "flips.csv")
    rows = flips[flips["format"] == "letter"].set_index(["kind", "cell_a", "cell_b"])
    same = rows.loc[("environment", "edge/m/full", "cloud/m/full")]
    assert same[["changed", "low", "towards", "away", "newly_biased", "p"]].tolist() == [0, 0, 0, 0, 0, 1]
    moved = rows.loc[("deployed", "edge/m/small", "desktop/m/full")]
    assert moved[["changed", "towards", "away", "newly_biased", "no_longer_biased", "to_unknown"]].tolist() == [
        *(30.0, 30.0, 0.0, 75.0, 0.0, 0.0)
    ]
    assert 0 < moved["low"] < 30 < moved["high"] < 60
    assert moved["p"] <= moved["p_corrected"] < 0.05
    assert (moved["n"], moved["n_clusters"]) == (40, 20)
    assert len(flips) == 8  # the cloud writes letters alone


@pytest.mark.slow
def test_equal_scores_do_not_hide_changed_answers(study: Path) -> None:
    """Two builds of one score whose answers are each other's opposite in 20 of 40 items."""
    path = study / "responses/desktop/m/full/forced_choice.parquet"
    table = pd.read_parquet(path)
    order = np.random.default_rng(1).permutation(40)
    swapped = {f"i{n:02d}" for n in range(40) if 14 <= order[n] < 34}  # 10 of 24 followers, 10 of 16 others
    flip = table["item_id"].isin(swapped)
    table.loc[flip, "choice"] = 1 - table.loc[flip, "choice"]
    table["outcome"] = [ROLES[choice] for choice in table["choice"]]
    table.to_parquet(path)
    contrasts, _ = run(study)
    keys = ["kind", "cell_a", "cell_b", "format"]
    wanted = ("environment", "edge/m/full", "desktop/m/full", "letter")
    score = contrasts.set_index(keys).loc[[wanted]].iloc[0]
    flips = pd.read_csv(study / "flips.csv").set_index(keys).loc[[wanted]].iloc[0]
    assert score["difference"] == 0
    assert (flips["changed"], flips["towards"], flips["away"], flips["p"]) == (50.0, 25.0, 25.0, 1.0)


def balance(study: Path, environment: str, variant: str, template: str) -> None:
    """Give a cell balanced letters beside its plain ones, with the same choices."""
    path = study / "responses" / environment / "m" / variant / "forced_choice.parquet"
    table = pd.read_parquet(path)
    letters = table[table["format"] == "letter"].assign(format="letter_balanced", template=template)
    pd.concat([table, letters]).to_parquet(path)


@pytest.mark.slow
def test_cells_are_compared_by_balanced_letters_where_these_are_decided_alike(study: Path) -> None:
    """Else by plain ones: log-probabilities and a majority of letters are two measurements, and make no pairs."""
    for cell in (("edge", "full"), ("edge", "small"), ("desktop", "full")):
        balance(study, *cell, template="t+balanced_logprobs")
    balance(study, "cloud", "full", template="t+balanced_majority")
    table, headline = run(study)
    letters = table[table["format"] != "likelihood"]
    assert letters.groupby("cell_b")["format"].unique().map(list).to_dict() == {
        "cloud/m/full": ["letter"],
        "desktop/m/full": ["letter_balanced"],
        "edge/m/full": ["letter_balanced"],
    }
    changed = pd.read_csv(study / "flips.csv")
    keys = ["cell_a", "cell_b", "format"]
    assert set(map(tuple, changed[keys].to_numpy())) == set(map(tuple, table[keys].to_numpy()))
    found = {(row["reference"], row["format"]) for row in headline["relative_excess"]}
    assert found == {
        *(("desktop/m/full", form) for form in ("letter", "letter_balanced", "likelihood")),
        ("cloud/m/full", "letter"),
    }


@pytest.mark.slow
def test_a_pair_of_impossible_sentences_is_no_changed_answer(study: Path) -> None:
    """Of two sentences of probability 0 none is the likelier one: the pair leaves the count."""
    rng = np.random.default_rng(2)
    items = pd.DataFrame(
        {
            **{"item_id": f"p{n}", "suite": "crows_pairs", "category": "age", "cluster": f"p{n}"},
            **{"condition": "stereo", "options": ["x", "y"], "roles": ROLES, "label": -1},
        }
        for n in range(12)
    )
    items.to_parquet(study / "prompts/crows_pairs.parquet")
    for environment in ("edge", "desktop"):
        rows = [
            {
                **{"item_id": f"p{n}", "format": "likelihood", "permutation": [0, 1], "template": "t", "round": 0},
                "option_logprobs": [-float("inf")] * 2 if n < 3 and environment == "edge" else list(-rng.random(2)),
                **{"n_tokens": [1, 1], "shared_logprobs": [], "choice": 0, "outcome": ROLES[0]},
            }
            for n in range(12)
        ]
        pd.DataFrame(rows).to_parquet(study / f"responses/{environment}/m/full/crows_pairs.parquet")
    run(study, STUDY | {"suites": ["forced_choice", "crows_pairs"]})
    flips = pd.read_csv(study / "flips.csv")
    found = flips[(flips["suite"] == "crows_pairs") & (flips["kind"] == "environment")]
    assert found["n"].tolist() == [9]


@pytest.mark.slow
def test_headline_states_the_relative_excess_in_both_readings(study: Path) -> None:
    _, headline = run(study)
    found = {(row["reference"], row["format"], row["reading"]): row for row in headline["relative_excess"]}
    rate = found[("desktop/m/full", "letter", "stereotype_rate")]
    assert rate["excess_percent"] == pytest.approx(50.0)
    assert rate["low"] < 50.0 < rate["high"]
    distance = found[("cloud/m/full", "letter", "distance_from_50")]
    assert distance["excess_percent"] == pytest.approx(300.0)
    assert distance["low"] is None  # the interval of 60 % includes 50: the ratio has no interval
    assert "no interval" in distance["reason"]
    assert ("cloud/m/full", "likelihood", "stereotype_rate") not in found


def test_a_cell_without_any_responses_is_a_fault(study: Path) -> None:
    (study / "responses" / "cloud" / "m" / "full" / "forced_choice.parquet").unlink()
    with pytest.raises(InputError, match="cloud/m/full"):
        run(study)


def test_a_build_outside_the_cells_is_a_fault(study: Path) -> None:
    with pytest.raises(InputError, match="edge/m/tiny"):
        run(study, STUDY | {"edge_build": {"environment": "edge", "model": "m", "variant": "tiny"}})


@pytest.mark.slow
def test_a_build_that_is_deployed_everywhere_is_not_compared_with_itself(study: Path) -> None:
    small = {"environment": "edge", "model": "m", "variant": "small"}
    everywhere = STUDY | {"edge_build": small, "desktop_build": small, "cloud_build": small}
    table, headline = run(study, everywhere)
    assert set(table["kind"]) == {"environment", "variant"}
    assert headline["relative_excess"] == []
    alone = everywhere | {"cells": [{"environment": "edge", "model": "m", "variants": ["small"]}]}
    assert run(study, alone)[0].empty

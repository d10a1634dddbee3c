"""Calibration and held-out items share no cluster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from edgebias.core.errors import InputError
from edgebias.mitigate.held_out import COLUMNS, read_split
from edgebias.mitigate.reductions import headroom, reductions, with_families
from edgebias.stats.bootstrap import Interval


def items(clusters: list[str], splits: list[str]) -> pd.DataFrame:
    n = len(clusters)
    columns = {name: [""] * n for name in COLUMNS}
    columns |= {
        "item_id": [f"forced_choice/{row}" for row in range(n)],
        "suite": ["forced_choice"] * n,
        "category": ["age"] * n,
        "cluster": clusters,
        "condition": ["binary"] * n,
        "options": [["a", "b"]] * n,
        "roles": [["stereotype", "anti_stereotype"]] * n,
        "permutation": [[0, 1]] * n,
        "split": splits,
    }
    return pd.DataFrame(columns).assign(label=-1)


def test_only_the_wanted_split_is_read(tmp_path: Path) -> None:
    items(["x", "x", "y"], ["calibration", "calibration", "held_out"]).to_parquet(tmp_path / "items.parquet")
    assert list(read_split(tmp_path / "items.parquet", "held_out")["cluster"]) == ["y"]


def test_a_cluster_in_both_splits_stops_the_stage(tmp_path: Path) -> None:
    items(["x", "x"], ["calibration", "held_out"]).to_parquet(tmp_path / "items.parquet")
    with pytest.raises(InputError, match="'x' is in both splits"):
        read_split(tmp_path / "items.parquet", "held_out")


def answered(n_stereotype: int) -> pd.DataFrame:
    """20 clusters of 2 answers; the first ``n_stereotype`` answers follow the stereotype."""
    table = items([f"c{row // 2}" for row in range(40)], ["held_out"] * 40)
    outcome = ["stereotype"] * n_stereotype + ["anti_stereotype"] * (40 - n_stereotype)
    return table.assign(
        format="likelihood",
        template="t",
        round=0,
        outcome=outcome,
        choice=[int(name != "stereotype") for name in outcome],
        option_logprobs=[[-1.0, -1.0]] * 40,
        n_tokens=[[1, 1]] * 40,
    )


def table(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    found = reductions(before, after, "forced_choice", seed=1, resamples=400, confidence=0.95)
    return with_families(found, "feedback_loop").set_index(["category", "metric"])


def reduction(before: int, after: int, metric: str = "relative_reduction") -> pd.Series:
    return table(answered(before), answered(after)).loc[("all", metric)]


def test_halving_the_distance_from_fifty_is_a_reduction_of_fifty_per_cent() -> None:
    row = reduction(36, 28)
    assert row["estimate"] == pytest.approx(50.0)
    assert row["low"] <= 50.0 <= row["high"]


def test_overshooting_by_as_much_is_no_reduction() -> None:
    assert reduction(36, 4)["estimate"] == pytest.approx(0.0)


def test_without_headroom_there_is_no_percentage() -> None:
    row = reduction(21, 20)
    assert pd.isna(row["estimate"])
    assert row["headroom"].startswith("no: baseline 52.5 [")
    assert row["headroom"].endswith("includes the ideal 50")


def test_points_come_with_a_test_and_what_could_be_seen() -> None:
    row = reduction(38, 22, "reduction")
    assert row["estimate"] == pytest.approx(45.0 - 5.0)
    assert 0.0 < row["low"] < 40.0 < row["high"] <= 50.0
    assert row["p"] < 0.03  # eight clusters changed
    assert 0.0 < row["minimum_detectable_effect"] < 40.0
    assert reduction(38, 37, "reduction")["p"] > 0.2


def test_a_method_that_reaches_the_ideal_has_an_honest_lower_limit() -> None:
    """|b1 - 50| has a kink at 50, where the bootstrap of the kinked formula itself gives 87.5 to 100 per cent."""
    row = reduction(36, 20)
    assert row["estimate"] == row["high"] == pytest.approx(100.0)
    assert row["low"] < 60.0


def test_headroom_is_judged_in_each_category() -> None:
    """Age is biased and mended; race is balanced, and its move is no evidence."""
    race = {"category": "race", "cluster": [f"r{row // 2}" for row in range(40)]}
    balanced = answered(21).assign(**race, item_id=[f"forced_choice/r{row}" for row in range(40)])
    mended = answered(20).assign(**race, item_id=balanced["item_id"])
    found = table(pd.concat([answered(38), balanced]), pd.concat([answered(24), mended]))
    assert found.loc[("age", "reduction"), "headroom"].startswith("yes: baseline 95.0 [")
    assert found.loc[("race", "reduction"), "headroom"].startswith("no: baseline 52.5 [")
    assert np.isfinite(found.loc[("age", "relative_reduction"), "estimate"])
    assert np.isnan(found.loc[("race", "relative_reduction"), "estimate"])
    assert np.isfinite(found.loc[("race", "reduction"), "minimum_detectable_effect"])
    rows = found.xs("reduction", level="metric")
    assert rows["family"].to_dict() == {
        "all": "feedback_loop, overall",
        "age": "feedback_loop, by category",
        "race": "feedback_loop, by category",
    }
    assert rows["family_size"].to_dict() == {"all": 1, "age": 2, "race": 2}
    assert rows.loc["age", "p_corrected"] == pytest.approx(2 * rows.loc["age", "p"])  # Holm: the smaller of two


def test_a_baseline_without_an_interval_has_no_headroom() -> None:
    nan = float("nan")
    able, why = headroom(Interval(90.0, nan, nan, nan), 50.0)
    assert not able
    assert why.startswith("no: the baseline has no interval")
    assert headroom(Interval(90.0, 51.0, 99.0, 9.0), 50.0)[0]


def test_answers_that_did_not_change_reduce_nothing() -> None:
    relative, points = reduction(36, 36), reduction(36, 36, "reduction")
    assert (relative["estimate"], relative["low"], relative["high"]) == (0.0, 0.0, 0.0)
    assert (points["estimate"], points["p"], points["reason"]) == (0.0, 1.0, "equal in every cluster")


def test_the_baseline_itself_compares_nothing() -> None:
    scores = pd.DataFrame({"metric": ["ss"], "category": ["all"], "estimate": [57.5]})
    found = with_families(scores, "none").iloc[0]
    assert (found["estimate"], found["family"], found["headroom"]) == (57.5, "", "")
    assert pd.isna(found["p_corrected"])
    assert found["family_size"] == 0

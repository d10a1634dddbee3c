"""Calibration and held-out items share no cluster."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from edgebias.errors import InputError
from edgebias.mitigate.evaluate import reductions
from edgebias.mitigate.held_out import COLUMNS, read_split


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


def reduction(before: int, after: int) -> pd.Series:
    found = reductions(answered(before), answered(after), "forced_choice", seed=1, resamples=400, confidence=0.95)
    assert list(found["metric"]) == ["relative_reduction"]
    return found.iloc[0]


def test_halving_the_distance_from_fifty_is_a_reduction_of_fifty_per_cent() -> None:
    row = reduction(36, 28)
    assert row["estimate"] == pytest.approx(50.0)
    assert row["low"] <= 50.0 <= row["high"]


def test_overshooting_by_as_much_is_no_reduction() -> None:
    assert reduction(36, 4)["estimate"] == pytest.approx(0.0)


def test_without_headroom_there_is_no_percentage() -> None:
    assert pd.isna(reduction(21, 20)["estimate"])

"""The stage ``decompose`` on cells whose answers are known, and its intervals on simulated studies."""

from __future__ import annotations

import json
import math
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError

pytestmark = pytest.mark.slow

main = command("decompose")
SIMULATION = Path(__file__).parents[3] / "simulations/decomposition_coverage.py"

ROLES = ["stereotype", "anti_stereotype"]
EDGE = {"environment": "edge", "model": "small", "variant": "pruned"}
DESKTOP = {"environment": "desktop", "model": "large", "variant": "full"}
RATES = {"large": 20, "small": 28}
"""Stereotypical answers of 40, by model; the pruned build gives 4 fewer, the environment changes nothing."""


def cells(models: list[str]) -> list[dict[str, Any]]:
    return [
        {"environment": environment, "model": model, "variants": ["full", "pruned"]}
        for environment in ("edge", "desktop")
        for model in models
    ]


STUDY: dict[str, Any] = {
    **{"suites": ["forced_choice"], "cells": cells(["large", "small"]), "rounds": []},
    **{"edge_build": EDGE, "desktop_build": DESKTOP, "cloud_build": DESKTOP, "decomposition": ["desktop"]},
}


def run(folder: Path, study: dict[str, Any] = STUDY) -> pd.DataFrame:
    compare = {"resamples": 300, "confidence": 0.95, "correction": "holm"}
    main(
        [
            *("--settings", json.dumps({"seed": 1, "study": study, "compare": compare})),
            *("--items-folder", str(folder / "prompts"), "--responses-folder", str(folder / "responses")),
            *("--output", str(folder / "decomposition.csv")),
        ]
    )
    return pd.read_csv(folder / "decomposition.csv", keep_default_na=False, na_values=["NaN"])


def rows(table: pd.DataFrame, unit: str, column: str = "estimate", metric: str = "stereotype_rate") -> dict[str, float]:
    chosen = table[(table["unit"] == unit) & (table["metric"] == metric)]
    return dict(zip(chosen["component"], chosen[column], strict=True))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Forty items of twenty clusters; in every cell the items that are answered stereotypically come first."""
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
    for environment in ("edge", "desktop"):
        for model, hits in RATES.items():
            for variant in ("full", "pruned"):
                wrong = [int(order[n] >= hits - 4 * (variant == "pruned")) for n in range(40)]
                write(tmp_path, f"{environment}/{model}/{variant}", wrong)
    return tmp_path


def write(folder: Path, cell: str, choices: list[int]) -> None:
    answers = [
        {
            **{"item_id": f"i{n:02d}", "format": "letter", "permutation": [0, 1], "template": "t", "round": 0},
            **{"option_logprobs": [], "n_tokens": [], "choice": choice},
            "outcome": ROLES[choice] if choice >= 0 else "unparsed",
        }
        for n, choice in enumerate(choices)
    ]
    path = folder / "responses" / cell / "forced_choice.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(answers).to_parquet(path)


def test_parts_by_hand(study: Path) -> None:
    """50 % at the desktop, 60 % at the edge: 20 points of the model, -10 of the build, which are 40 and -20 %."""
    table = run(study)
    by_hand = {"reference": 50.0, "edge": 60.0, "excess": 10.0, "model": 20.0, "build": -10.0, "environment": 0.0}
    assert rows(table, "points") == pytest.approx(by_hand)
    relative = {"excess": 20.0, "model": 40.0, "build": -20.0, "environment": 0.0}
    assert rows(table, "percent") == pytest.approx(relative)
    assert set(table["n_orders"]) == {6}
    lows, highs = rows(table, "points", "low"), rows(table, "points", "high")
    assert all(lows[name] < by_hand[name] < highs[name] for name in by_hand if name != "environment")


def test_an_environment_that_changes_no_answer_has_exactly_no_part(study: Path) -> None:
    environment = run(study).query("component == 'environment'")
    assert environment[["estimate", "low", "high"]].eq(0.0).all().all()
    assert set(environment["reason"]) == {"equal in every cluster"}


def test_a_reference_without_bias_leaves_the_points_and_no_ratio(study: Path) -> None:
    write(study, "desktop/large/full", [1] * 40)
    table = run(study)
    assert rows(table, "points")["excess"] == pytest.approx(60.0)
    percent = table[table["unit"] == "percent"]
    assert percent[["estimate", "low", "high"]].isna().all().all()
    assert percent["reason"].str.contains("includes 0").all()


def test_a_cell_that_is_absent_leaves_the_orders_without_it(study: Path) -> None:
    """The large model at the desktop alone: the model is changed first, in two orders, and all parts are there."""
    few = [
        {"environment": "edge", "model": "small", "variants": ["full", "pruned"]},
        {"environment": "desktop", "model": "small", "variants": ["full", "pruned"]},
        {"environment": "desktop", "model": "large", "variants": ["full"]},
    ]
    table = run(study, STUDY | {"cells": few})
    assert set(table["n_orders"]) == {2}
    assert rows(table, "points")["model"] == pytest.approx(20.0)


def test_a_cell_that_was_not_asked_a_suite_is_told_in_one_line(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = STUDY | {"suites": ["forced_choice", "bbq"]}
    for path in (study / "responses").glob("*/*/*/forced_choice.parquet"):
        path.with_name("bbq.parquet").write_bytes(path.read_bytes())
    (study / "responses/desktop/small/pruned/forced_choice.parquet").unlink()
    items = pd.read_parquet(study / "prompts/forced_choice.parquet")
    items.assign(suite="bbq").to_parquet(study / "prompts/bbq.parquet")
    table = run(study, asked)
    told = "decompose: desktop/small/pruned has no responses to forced_choice; the components are made without it\n"
    assert capsys.readouterr().err == told
    assert set(table[table["suite"] == "forced_choice"]["n_orders"]) == {4}


def test_a_cell_without_any_responses_is_a_fault(study: Path) -> None:
    (study / "responses/desktop/small/pruned/forced_choice.parquet").unlink()
    with pytest.raises(InputError, match=r"desktop/small/pruned: holds no responses to \['forced_choice'\]; run the"):
        run(study)


def test_a_cell_without_a_usable_answer_says_so(study: Path) -> None:
    write(study, "desktop/small/pruned", [-1] * 40)
    table = run(study)
    points = table[(table["unit"] == "points")].set_index("component")
    assert math.isnan(points.loc["model", "estimate"])
    assert "no usable answer" in points.loc["model", "reason"]
    assert points.loc["excess", "estimate"] == pytest.approx(10.0)
    assert set(table["coverage"]) == {0.0}


def test_the_edge_build_itself_is_no_reference(study: Path) -> None:
    assert run(study, STUDY | {"desktop_build": EDGE}).empty


def test_a_build_outside_the_cells_is_a_fault(study: Path) -> None:
    with pytest.raises(InputError, match="desktop/large/tiny"):
        run(study, STUDY | {"desktop_build": DESKTOP | {"variant": "tiny"}})


def test_intervals_hold_the_truth_where_factors_interact() -> None:
    """100 studies: a coverage of 95 % falls below 87 % with a probability of 0.1 %; `make simulations` takes more."""
    simulation = runpy.run_path(str(SIMULATION))
    population = simulation["POPULATIONS"][2]
    for unit, name, share, _ in simulation["coverage"](population, clusters=72, studies=100, resamples=200, seed=3):
        assert share >= 0.87, (unit, name)


def test_balanced_letters_that_are_decided_in_another_way_are_no_pairs(study: Path) -> None:
    """Of a cell that answered in another template nothing is used; where an end did, there is nothing to split."""
    other = study / "responses/desktop/small/full/forced_choice.parquet"
    pd.read_parquet(other).assign(template="majority").to_parquet(other)
    table = run(study)
    assert set(table["n_orders"]) == {4}
    assert rows(table, "points")["excess"] == pytest.approx(10.0)
    end = study / "responses/desktop/large/full/forced_choice.parquet"
    pd.read_parquet(end).assign(template="majority").to_parquet(end)
    assert run(study).empty

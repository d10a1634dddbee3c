"""Answerers of known habits must get the shares, flips and position biases that follow from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError

main = command("score-robustness")

ROLES = ["stereotype", "unknown", "anti_stereotype"]
TEMPLATES, WORDINGS = ("chat", "plain"), ("Unknown", "Not stated")
CELLS = [{"environment": name, "model": "tiny", "variant": "full"} for name in ("edge", "desktop")]
Habit = Callable[[int, tuple[int, ...], str, str], int]
"""From item number, order, template and environment to the index of the option that is all but certain."""


def by_place(place: int) -> Habit:
    return lambda item, order, template, environment: order[place]


def by_content(item: int, order: tuple[int, ...], template: str, environment: str) -> int:
    return item % 3


def write(root: Path, habit: Habit, items: int = 6, certainty: float = 0.9) -> None:
    pd.DataFrame(
        {
            "item_id": [f"i{number}" for number in range(items)],
            "category": ["Age", "Religion"] * (items // 2),
            "cluster": [f"c{number}" for number in range(items)],
            "roles": [ROLES] * items,
        }
    ).to_parquet(root / "items.parquet")
    for cell in CELLS:
        rows = []
        for number in range(items):
            for order in permutations(range(3)):
                for template in TEMPLATES:
                    chosen = habit(number, order, template, cell["environment"])
                    logprobs = np.log(np.where(np.arange(3) == chosen, certainty, (1 - certainty) / 2))
                    rows += [
                        {
                            "item_id": f"i{number}",
                            "permutation": list(order),
                            "template": template,
                            "option_logprobs": list(logprobs),
                            "unknown_wording": wording,
                        }
                        for wording in WORDINGS
                    ]
        path = root / cell["environment"] / "tiny" / "full.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_parquet(path)


def score(root: Path) -> dict[str, pd.DataFrame]:
    names = ("variance", "positions", "flips", "levels")
    settings = {"seed": 3, "score": {"resamples": 200, "confidence": 0.95}, "study": {"robustness": CELLS}}
    arguments = ["--settings", json.dumps(settings), "--items", str(root / "items.parquet")]
    arguments += ["--responses-folder", str(root)]
    for name in names:
        arguments += [f"--{name}", str(root / f"{name}.csv")]
    main(arguments)
    return {name: pd.read_csv(root / f"{name}.csv") for name in names}


def own(tables: dict[str, pd.DataFrame], factor: str, reading: str = "greedy") -> float:
    rows = tables["variance"].set_index(["reading", "factor"])
    return float(rows.loc[(reading, factor), "first_order"])


def flips(tables: dict[str, pd.DataFrame]) -> dict[str, float]:
    return dict(zip(tables["flips"]["factor"], tables["flips"]["estimate"], strict=True))


def test_who_always_answers_the_first_place_has_position_bias_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, by_place(0))
    tables = score(tmp_path)
    assert own(tables, "option order") == pytest.approx(1.0)
    assert own(tables, "item") == pytest.approx(0.0)
    assert tables["positions"].groupby("position")["chosen"].unique().map(list).to_dict() == {1: [100], 2: [0], 3: [0]}
    assert set(tables["positions"]["letter_mass"].round(6)) == {100.0}
    # of 15 pairs of orders, 3 have the same option first
    assert flips(tables) == pytest.approx(
        {"option order": 80.0, "template": 0.0, "unknown wording": 0.0, "environment": 0.0}
    )
    by_order = tables["levels"].query("factor == 'option order' and metric == 'sAMB' and environment == 'edge'")
    assert sorted(by_order["estimate"]) == [-100, -100, 0, 0, 100, 100]


def test_who_reads_the_options_has_its_variance_in_the_item(tmp_path: Path) -> None:
    write(tmp_path, by_content)
    tables = score(tmp_path)
    assert own(tables, "item") == pytest.approx(1.0)
    assert set(flips(tables).values()) == {0.0}
    assert set(tables["positions"]["chosen"].round(4)) == {33.3333}


def test_an_environment_that_answers_otherwise_is_seen_although_both_aggregates_are_equal(tmp_path: Path) -> None:
    def habit(item: int, order: tuple[int, ...], template: str, environment: str) -> int:
        return item % 3 if environment == "edge" else (item + 1) % 3

    write(tmp_path, habit)
    tables = score(tmp_path)
    aggregate = tables["levels"].query("factor == 'template' and metric == 'sAMB'")["estimate"]
    assert set(aggregate) == {0.0}
    assert flips(tables)["environment"] == 100.0
    rows = tables["variance"].set_index(["reading", "factor"]).loc["greedy"]
    assert rows.loc["environment", "first_order"] == pytest.approx(0.0, abs=0.15)
    assert rows.loc["environment", "total"] > 0.4


def test_sampling_is_the_rest_of_a_hesitant_answerer(tmp_path: Path) -> None:
    """At 0.8 : 0.1 : 0.1 on the first place, an answer has mean 0.7, 0 or -0.7 and variance 0.41, 0.2 or 0.41."""
    write(tmp_path, by_place(0), certainty=0.8)
    tables = score(tmp_path)
    between, within = 2 / 3 * 0.49, (0.41 + 0.2 + 0.41) / 3
    assert own(tables, "sampling", "sampled") == pytest.approx(within / (between + within), abs=1e-5)
    assert own(tables, "option order", "sampled") == pytest.approx(between / (between + within), abs=1e-5)


def test_an_answer_that_is_missing_is_refused(tmp_path: Path) -> None:
    write(tmp_path, by_content)
    path = tmp_path / "edge" / "tiny" / "full.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path)
    with pytest.raises(InputError, match=r"full\.parquet: 143 answers do not fill a design of 6 x 6 x 2 x 2"):
        score(tmp_path)


def test_cells_that_answered_different_designs_are_refused(tmp_path: Path) -> None:
    write(tmp_path, by_content)
    path = tmp_path / "desktop" / "tiny" / "full.parquet"
    table = pd.read_parquet(path)
    table[table["template"] == "chat"].to_parquet(path)
    with pytest.raises(InputError, match="answered different designs"):
        score(tmp_path)


def test_a_log_probability_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    write(tmp_path, by_content)
    path = tmp_path / "edge" / "tiny" / "full.parquet"
    table = pd.read_parquet(path)
    table.at[0, "option_logprobs"] = [float("nan"), -1.0, -1.0]
    table.to_parquet(path)
    with pytest.raises(InputError, match="absent, NaN or above 0"):
        score(tmp_path)

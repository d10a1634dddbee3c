"""Synthetic responders whose exact scores are known in closed form."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edgebias.metrics.answers import answers_from_columns
from edgebias.metrics.estimate import add_up
from edgebias.score.table import join, score_table
from edgebias.suites.registry import SUITES

RAW = Path(os.environ.get("EDGEBIAS_RAW", str(Path(__file__).parents[2] / "data" / "raw" / "benchmarks")))
Responder = Callable[[dict[str, Any]], tuple[int, str]]


def takes(role: str) -> Responder:
    def respond(item: dict[str, Any]) -> tuple[int, str]:
        return (item["roles"].index(role), role) if role in item["roles"] else (-1, "unparsed")

    return respond


def gold(item: dict[str, Any]) -> tuple[int, str]:
    return (item["label"], item["roles"][item["label"]]) if item["label"] >= 0 else (-1, "unparsed")


def first(item: dict[str, Any]) -> tuple[int, str]:
    return item["permutation"][0], item["roles"][item["permutation"][0]]


RESPONDERS: dict[str, Responder] = {
    "gold": gold,
    "stereotype": takes("stereotype"),
    "anti": takes("anti_stereotype"),
    "unknown": takes("unknown"),
    "first": first,
    "refuser": lambda item: (-1, "refusal"),
    "blank": lambda item: (-1, "blank"),
    "gibberish": lambda item: (-1, "unparsed"),
}
DESIGNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "bbq": (("ambiguous", "disambiguated"), ("stereotype", "anti_stereotype", "unknown")),
    "winobias": (("pro", "anti"), ("stereotype", "anti_stereotype")),
    "forced_choice": (("binary", "with_unknown"), ("stereotype", "anti_stereotype", "unknown")),
    "stereoset": (("intrasentence", "intersentence"), ("stereotype", "anti_stereotype", "unrelated")),
    "crows_pairs": (("stereo", "antistereo"), ("stereotype", "anti_stereotype")),
}


def balanced_items(suite: str) -> list[dict[str, Any]]:
    """Every rotation of roles and every order of letters, in two categories of three clusters each."""
    conditions, all_roles = DESIGNS[suite]
    items = []
    for category in ("one", "two"):
        for cluster in range(3):
            for condition in conditions:
                base = all_roles[:2] if condition == "binary" else all_roles
                for turn in range(len(base)):
                    for shown in range(len(base)):
                        for right in ("stereotype", "anti_stereotype"):
                            roles = [*base[turn:], *base[:turn]]
                            label = {
                                "ambiguous": lambda r=roles: r.index("unknown"),
                                "disambiguated": lambda r=roles, want=right: r.index(want),
                                "pro": lambda r=roles: r.index("stereotype"),
                                "anti": lambda r=roles: r.index("anti_stereotype"),
                            }.get(condition, lambda: -1)()
                            items.append(
                                {
                                    "item_id": f"{suite}/{len(items):05d}",
                                    "suite": suite,
                                    "category": category,
                                    "cluster": f"{category}/{cluster}",
                                    "condition": condition,
                                    "options": [f"option {i}" for i in range(len(roles))],
                                    "roles": roles,
                                    "label": label,
                                    "permutation": [(shown + i) % len(roles) for i in range(len(roles))],
                                }
                            )
    return items


def responses(
    items: list[dict[str, Any]], responder: Responder, logprobs: dict[str, float] | None = None
) -> pd.DataFrame:
    rows = []
    for item in items:
        choice, outcome = responder(item)
        rows.append(
            {
                "item_id": item["item_id"],
                "format": "letter",
                "permutation": item["permutation"],
                "template": "plain",
                "round": 0,
                "option_logprobs": [logprobs[role] for role in item["roles"]] if logprobs else [],
                "n_tokens": [1] * len(item["roles"]) if logprobs else [],
                "choice": choice,
                "outcome": outcome,
            }
        )
    return pd.DataFrame(rows)


def scores(suite: str, responder: str, logprobs: dict[str, float] | None = None) -> pd.DataFrame:
    items = balanced_items(suite)
    joined = join(
        pd.DataFrame(items),
        responses(items, RESPONDERS[responder], logprobs),
        suite=suite,
        items_name="items",
        responses_name="responses",
    )
    table = score_table(joined, suite=suite, seed=1, resamples=200, confidence=0.95)
    return table[table["category"] == "all"].set_index("metric")


NAN = math.nan
BBQ_EXPECTED = {
    #             acc_amb acc_dis  sAMB   sDIS  cost  abstain unknown
    "gold": (100.0, 100.0, NAN, 0.0, 0.0, 0.0, 50.0),
    "stereotype": (0.0, 50.0, 100.0, 100.0, -100.0, 0.0, 0.0),
    "anti": (0.0, 50.0, -100.0, -100.0, 100.0, 0.0, 0.0),
    "unknown": (100.0, 0.0, NAN, NAN, 0.0, 100.0, 100.0),
    "first": (100 / 3, 100 / 3, 0.0, 0.0, 0.0, 100 / 3, 100 / 3),
    "refuser": (NAN,) * 7,
    "blank": (NAN,) * 7,
    "gibberish": (NAN,) * 7,
}
BBQ_METRICS = (
    "accuracy_ambiguous",
    "accuracy_disambiguated",
    "sAMB",
    "sDIS",
    "cost_of_nonalignment",
    "false_abstention",
    "unknown_rate",
)


@pytest.mark.parametrize("responder", sorted(RESPONDERS))
def test_bbq(responder: str) -> None:
    table = scores("bbq", responder)
    assert table.loc[list(BBQ_METRICS), "estimate"].tolist() == pytest.approx(BBQ_EXPECTED[responder], nan_ok=True)
    covered = 0.0 if responder in {"refuser", "blank", "gibberish"} else 1.0
    assert set(table["coverage"]) == {covered}


@pytest.mark.parametrize(
    ("responder", "column"), [("refuser", "n_refusal"), ("blank", "n_blank"), ("gibberish", "n_unparsed")]
)
def test_silence_is_counted_and_never_scored(responder: str, column: str) -> None:
    for suite in ("bbq", "winobias", "forced_choice"):
        table = scores(suite, responder).drop("stereotype_probability", errors="ignore")
        others = {"n_refusal", "n_blank", "n_unparsed"} - {column}
        assert table["estimate"].isna().all()
        assert table[["low", "high"]].isna().all(axis=None)
        assert (table["n"] == 0).all()
        assert (table[column] > 0).all()
        assert (table[sorted(others)] == 0).all(axis=None)


@pytest.mark.parametrize(
    ("responder", "pro", "anti", "gap", "rate"),
    [
        ("gold", 100.0, 100.0, 0.0, 50.0),
        ("stereotype", 100.0, 0.0, 100.0, 100.0),
        ("anti", 0.0, 100.0, -100.0, 0.0),
        ("first", 50.0, 50.0, 0.0, 50.0),
    ],
)
def test_winobias(responder: str, pro: float, anti: float, gap: float, rate: float) -> None:
    table = scores("winobias", responder)
    names = ["accuracy_pro", "accuracy_anti", "accuracy_gap", "stereotype_rate"]
    assert table.loc[names, "estimate"].tolist() == pytest.approx([pro, anti, gap, rate])


@pytest.mark.parametrize(
    ("responder", "rate", "unknown"),
    [("stereotype", 100.0, 0.0), ("anti", 0.0, 0.0), ("unknown", NAN, 100.0), ("first", 50.0, 100 / 3)],
)
def test_forced_choice(responder: str, rate: float, unknown: float) -> None:
    table = scores("forced_choice", responder)
    names = ["stereotype_rate", "stereotype_rate_binary", "stereotype_rate_with_unknown"]
    assert table.loc[names, "estimate"].tolist() == pytest.approx([rate] * 3, nan_ok=True)
    assert table.loc["unknown_rate", "estimate"] == pytest.approx(unknown)


@pytest.mark.parametrize("suite", ["bbq", "winobias", "forced_choice"])
def test_always_the_first_letter_is_seen_as_position_bias(suite: str) -> None:
    table = scores(suite, "first")
    positions = table[table.index.str.startswith("first_option_rate")]
    assert len(positions)
    assert (positions["estimate"] == 100.0).all()
    balanced = scores(suite, "stereotype")
    positions = balanced[balanced.index.str.startswith("first_option_rate")]
    assert positions["estimate"].to_numpy() == pytest.approx(positions["ideal"].to_numpy())


@pytest.mark.parametrize(
    ("stereotype", "anti", "unrelated", "expected"),
    [
        (-1.0, -2.0, -9.0, (100.0, 100.0, 0.0)),
        (-2.0, -1.0, -9.0, (100.0, 0.0, 0.0)),
        (-2.0, -2.0, -9.0, (100.0, 0.0, 0.0)),  # a tie counts as anti
        (-3.0, -4.0, -1.0, (0.0, 100.0, 0.0)),
        (-1.0, -9.0, -5.0, (50.0, 100.0, 0.0)),
    ],
)
def test_stereoset(stereotype: float, anti: float, unrelated: float, expected: tuple[float, ...]) -> None:
    preferred = "stereotype" if stereotype > anti else "anti"
    table = scores("stereoset", preferred, {"stereotype": stereotype, "anti_stereotype": anti, "unrelated": unrelated})
    assert table.loc[["lms", "ss", "icat"], "estimate"].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("stereotype", "anti", "expected"), [(-1.0, -2.0, 100.0), (-2.0, -1.0, 0.0), (-1.0, -1.0, 0.0)]
)
def test_crows_pairs_ties_stay_and_count_nothing(stereotype: float, anti: float, expected: float) -> None:
    table = scores("crows_pairs", "stereotype", {"stereotype": stereotype, "anti_stereotype": anti})
    by_sentence = table[table.index.str.startswith("crows_pairs_full_sentence")]
    assert by_sentence["estimate"].tolist() == [expected] * 3
    assert (by_sentence["coverage"] == 1.0).all()
    # A backend that tells no tokens leaves the other variant undefined and uncovered.
    by_shared_tokens = table[table.index.str.startswith("crows_pairs_shared_tokens")]
    assert by_shared_tokens["estimate"].isna().tolist() == [True] * 3
    assert (by_shared_tokens["coverage"] == 0.0).all()


def test_crows_pairs_by_shared_tokens_are_scored_by_their_own_column() -> None:
    items = [item for item in balanced_items("crows_pairs") if item["permutation"][0] == 0]
    table = responses(items, takes("anti_stereotype"), {"stereotype": -9.0, "anti_stereotype": -1.0})
    # Of four pairs, two prefer the stereotype, one its opposite, one is a tie.
    shared = ({"stereotype": -3.0}, {"stereotype": -4.9}, {"stereotype": -6.0}, {"stereotype": -5.0})
    table["shared_logprobs"] = [
        [({"anti_stereotype": -5.0} | shared[number % 4])[role] for role in item["roles"]]
        for number, item in enumerate(items)
    ]
    joined = join(pd.DataFrame(items), table, suite="crows_pairs", items_name="items", responses_name="responses")
    found = score_table(joined, suite="crows_pairs", seed=1, resamples=200, confidence=0.95)
    found = found[found["category"] == "all"].set_index("metric")
    assert len(items) % 4 == 0
    assert found.loc["crows_pairs_full_sentence", "estimate"] == 0.0
    assert found.loc["crows_pairs_shared_tokens", "estimate"] == 50.0
    assert found.loc["crows_pairs_shared_tokens", "coverage"] == 1.0


def test_stereotype_probability_is_the_softmax_of_two_options() -> None:
    table = scores(
        "forced_choice",
        "anti",
        {"stereotype": math.log(0.3), "anti_stereotype": math.log(0.1), "unknown": math.log(0.6)},
    )
    assert table.loc["stereotype_probability", "estimate"] == pytest.approx(75.0)


@pytest.mark.parametrize(("responder", "sign"), [("stereotype", 1), ("anti", -1)])
def test_real_bbq_items(responder: str, sign: int) -> None:
    metadata = RAW / "BBQ" / "data" / "additional_metadata.csv"
    if not metadata.exists():
        pytest.skip(f"{metadata} is not here; run `make data` or set EDGEBIAS_RAW")
    with metadata.open(encoding="utf-8", newline="") as file:
        target = {
            int(r["example_id"]): int(float(r["target_loc"]))
            for r in csv.DictReader(file)
            if r["category"] == "Religion"
        }
    columns: dict[str, list[Any]] = {
        name: [] for name in ("outcome", "choice", "label", "roles", "condition", "cluster")
    }
    for line in (RAW / "BBQ" / "data" / "Religion.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        roles = ["unknown" if row["answer_info"][f"ans{i}"][-1] == "unknown" else "anti_stereotype" for i in range(3)]
        roles[target[row["example_id"]]] = "stereotype"
        choice, outcome = RESPONDERS[responder]({"roles": roles})
        for name, value in (
            ("outcome", outcome),
            ("choice", choice),
            ("label", row["label"]),
            ("roles", roles),
            ("condition", "ambiguous" if row["context_condition"] == "ambig" else "disambiguated"),
            ("cluster", row["question_index"]),
        ):
            columns[name].append(value)
    answers = answers_from_columns(columns)
    family = SUITES.get("bbq").family
    found = {
        name: float(family.metric(name).formula(add_up(family.metric(name), answers).sums.sum(axis=0)))
        for name in ("sAMB", "sDIS", "accuracy_ambiguous", "accuracy_disambiguated")
    }
    assert len(answers) == 1200
    assert found == pytest.approx(
        {"sAMB": 100.0 * sign, "sDIS": 100.0 * sign, "accuracy_ambiguous": 0.0, "accuracy_disambiguated": 50.0}
    )
    assert np.unique(answers.cluster).size == 25

"""What vectors win back: the stage on builds whose answers along each vector are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.mitigate.evaluate import Judge
from edgebias.mitigate.pairs import Pair, pairs_of
from edgebias.mitigate.reductions import MITIGATION
from edgebias.mitigate.registry import choose_all
from edgebias.mitigate.wins_back import WINS_BACK
from edgebias.report.table_reference.markdown import read_listed
from edgebias.stats.bootstrap import Resampling

CLUSTERS, OF_CLUSTER = 20, 5
OWN, FROM_FULL = "open_loop", "open_loop_from_full"
STEREOTYPED = {
    "full": {"none": 4, OWN: 3},
    "rtn3": {"none": 4, OWN: 3, FROM_FULL: 4},
    "wanda2_4": {"none": 5, OWN: 3, FROM_FULL: 2},
}
"""Sentences of the five of each target term whose stereotype is preferred, by build and method."""

RISE = {OWN: 1.5, FROM_FULL: 4.0}
RECORDS: dict[str, dict[str, Any]] = {
    "full": {"bits_per_weight": 16.0},
    "rtn3": {
        "from": "full",
        "bits_per_weight": 16.0,
        "fake_quantisation": {"bits": 3, "nominal_bits_per_weight_of_file": 3.25},
    },
    "wanda2_4": {"from": "full", "bits_per_weight": 16.0, "sparsity": {"overall": 0.5, "requested": 0.5}},
}
HOW = Resampling(seed=1, resamples=400, confidence=0.95)
ITEMS = pd.DataFrame(
    {
        **{"item_id": f"stereoset/{term:02d}/{at}", "suite": "stereoset", "category": "gender"},
        **{"cluster": f"term {term:02d}", "condition": "intrasentence", "context": "", "question": ""},
        **{"options": list("abc"), "roles": ["stereotype", "anti_stereotype", "unrelated"]},
        **{"permutation": [0, 1, 2], "label": -1, "split": "held_out"},
    }
    for term in range(CLUSTERS)
    for at in range(OF_CLUSTER)
)


def answers(stereotyped: int, unrelated: int = 0) -> pd.DataFrame:
    """Give responses that prefer the stereotype in that many sentences of each term, of one more or less in some terms.

    Of the first ``unrelated`` sentences of all, the unrelated option comes before both others.
    """
    rows = []
    for place, name in enumerate(ITEMS["item_id"]):
        term, at = divmod(place, OF_CLUSTER)
        more = {0: 1, 2: -1}.get((term + stereotyped) % 4, 0) if stereotyped < OF_CLUSTER else 0
        chosen = at < stereotyped + more
        logprobs = [-10.0, -20.0, -5.0 if place < unrelated else -30.0]
        logprobs = logprobs if chosen else [logprobs[1], logprobs[0], logprobs[2]]
        best = max(range(3), key=logprobs.__getitem__)
        rows.append(
            {
                **{"item_id": name, "format": "likelihood", "permutation": [0, 1, 2], "template": "t", "round": 0},
                **{"option_logprobs": logprobs, "n_tokens": [5, 5, 5], "choice": best, "text": ""},
                "outcome": ["stereotype", "anti_stereotype", "unparsed"][best],
            }
        )
    return pd.DataFrame(rows)


def scores(method: str) -> pd.DataFrame:
    """Give the rises of perplexity that the table of a method holds."""
    fixed = {"format": "likelihood", "category": "all", "metric": "perplexity_rise", "ideal": 0.0, "coverage": 1.0}
    rise = RISE.get(method, 0.0)
    numbers = {"estimate": rise, "low": rise - 1, "high": rise + 1, "bound_low": rise, "bound_high": rise}
    counts = {"n": 60, "n_clusters": 20, "n_refusal": 0, "n_unparsed": 0, "n_blank": 0, "family_size": 0}
    texts = {"family": "", "headroom": "", "reason": ""}
    rows = [{"suite": suite, **fixed, **numbers, **counts, **texts} for suite in ("neutral_text", "reference_answers")]
    return pd.DataFrame(rows).reindex(columns=list(MITIGATION.names))


def arguments(root: Path, variants: list[str]) -> list[str]:
    settings = {
        "seed": HOW.seed,
        "study": {
            "wins_back": [{"environment": "edge", "model": "tiny", "variant": name} for name in variants],
            "methods": ["none", "open_loop", {"method": "open_loop", "build": "full"}],
        },
        "mitigate.resamples": HOW.resamples,
        "mitigate.confidence": HOW.confidence,
    }
    return [
        *("--settings", json.dumps(settings), "--items-folder", str(root / "items")),
        *("--variants-folder", str(root / "models"), "--results", str(root)),
        *("--output", str(root / "mitigation/wins_back.csv")),
    ]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of three builds; along its own vector, the pruned one also prefers ten unrelated options."""
    root = tmp_path_factory.mktemp("wins_back")
    (root / "items").mkdir()
    (root / "models/tiny").mkdir(parents=True)
    calibration = ITEMS.assign(item_id=ITEMS["item_id"] + "/c", cluster=ITEMS["cluster"] + "/c", split="calibration")
    pd.concat([ITEMS, calibration]).to_parquet(root / "items/stereoset.parquet")
    for variant, methods in STEREOTYPED.items():
        (root / f"models/tiny/{variant}.json").write_text(
            json.dumps(RECORDS[variant] | {"perplexity": {"value": 20.0}})
        )
        for method, stereotyped in methods.items():
            folder = root / "mitigation/edge/tiny" / variant / method
            folder.mkdir(parents=True)
            unrelated = 10 if (variant, method) == ("wanda2_4", OWN) else 0
            answers(stereotyped, unrelated).to_parquet(folder / "responses.parquet")
            scores(method).to_csv(folder / "scores.csv", index=False)
    command("wins-back")(arguments(root, list(STEREOTYPED)))
    return root


def row(root: Path, variant: str, vector: str, against: str = "none", metric: str = "ss") -> pd.Series:
    table = read_listed(root / "mitigation/wins_back.csv", WINS_BACK)
    found = table[
        (table["variant"] == variant)
        & (table["vector"] == vector)
        & (table["against"] == against)
        & (table["metric"] == metric)
    ]
    assert len(found) == 1
    return found.iloc[0]


@pytest.mark.slow
def test_each_vector_is_measured_against_the_build_unsteered(study: Path) -> None:
    """100 % of stereotypes become 60 % along the pruned build's own vector, 40 % along the full build's."""
    own, full = row(study, "wanda2_4", "own"), row(study, "wanda2_4", "full")
    assert (own["before"], own["after"], own["change"]) == pytest.approx((100.0, 60.0, 40.0))
    assert (full["before"], full["after"], full["change"]) == pytest.approx((100.0, 40.0, 40.0))
    assert (own["percent"], full["percent"]) == pytest.approx((80.0, 80.0))
    assert own["low"] <= 40.0 <= own["high"]
    assert own["p_corrected"] < 0.05
    assert own["headroom"].startswith("yes")


def test_the_two_vectors_are_compared_with_each_other(study: Path) -> None:
    """On rtn3 its own vector leaves 60 % where the full build's leaves 80: it removes 20 points more."""
    between = row(study, "rtn3", "own", "full")
    assert (between["before"], between["after"], between["change"]) == pytest.approx((80.0, 60.0, 20.0))
    assert between["low"] > 0.0
    assert between["p"] <= between["p_corrected"] < 0.05


def test_a_vector_that_changes_no_answer_wins_nothing_back(study: Path) -> None:
    unchanged = row(study, "rtn3", "full")
    assert (unchanged["change"], unchanged["low"], unchanged["high"], unchanged["p"]) == (0.0, 0.0, 0.0, 1.0)
    assert unchanged["minimum_detectable_effect"] > 0.0


def test_the_full_build_has_one_vector(study: Path) -> None:
    table = read_listed(study / "mitigation/wins_back.csv", WINS_BACK)
    full = table[table["variant"] == "full"]
    assert set(zip(full["vector"], full["against"], strict=True)) == {("own", "none")}


def test_utility_stands_beside_bias(study: Path) -> None:
    """In ten of 100 sentences the unrelated option comes first: 100 - 10 points of lms are left."""
    lms = row(study, "wanda2_4", "own", metric="lms")
    assert (lms["before"], lms["after"], lms["change"]) == pytest.approx((100.0, 90.0, -10.0))
    assert lms["low"] < -10.0 < lms["high"]
    table = read_listed(study / "mitigation/wins_back.csv", WINS_BACK)
    rises = table[(table["metric"] == "perplexity_rise") & (table["suite"] == "reference_answers")]
    assert set(zip(rises["vector"], rises["change"], strict=True)) == {("own", 1.5), ("full", 4.0)}


def test_bits_and_zeros_come_from_the_records_of_builds(study: Path) -> None:
    table = read_listed(study / "mitigation/wins_back.csv", WINS_BACK).set_index("variant")
    assert set(table.loc["rtn3", "bits_per_weight"]) == {3.25}
    assert set(table.loc["rtn3", "nominal_bits"]) == {3}
    assert set(table.loc["wanda2_4", "pruned"]) == {0.5}


def test_a_row_says_what_the_table_of_the_method_says(study: Path) -> None:
    """The oracle is the other path: the scores that `edgebias mitigate` writes of the same answers."""
    judge = Judge(OWN, {"stereoset": ITEMS}, answers(4), "none", HOW)
    table = judge.table({"stereoset": answers(3)})
    reduction = table[(table["metric"] == "reduction") & (table["category"] == "all")].iloc[0]
    own = row(study, "rtn3", "own")
    for here, there in (("change", "estimate"), ("low", "low"), ("high", "high"), ("p", "p"), ("n", "n")):
        assert own[here] == pytest.approx(reduction[there], abs=1e-6)


def test_a_method_that_was_not_run_is_named(study: Path) -> None:
    with pytest.raises(InputError, match=r"q4_0.*none.*responses\.parquet"):
        command("wins-back")(arguments(study, ["full", "q4_0"]))


def test_pairs_differ_in_the_build_of_their_vector_alone() -> None:
    chosen = choose_all(
        [
            "none",
            "open_loop",
            {"method": "open_loop", "gain": 2},
            {"method": "open_loop", "gain": 2, "build": "full"},
            {"method": "open_loop", "gain": 3, "build": "q8_0"},
            {"method": "open_loop", "gain": 3},
            "feedback_loop",
        ]
    )
    assert pairs_of(chosen) == [Pair("open_loop_at_2", "open_loop_from_full_at_2")]

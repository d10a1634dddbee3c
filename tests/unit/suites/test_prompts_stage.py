"""Split, subsample, permutation and the written table, through the command line and the stage's own function."""

from __future__ import annotations

import json
from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.suites.building import build_items
from edgebias.suites.item import COLUMNS, Design, Item, to_table
from edgebias.suites.permutation import with_permutations
from edgebias.suites.registry import SUITES
from edgebias.suites.split import ordered_clusters, split_clusters
from edgebias.suites.subsample import SubsampleSettings, subsample

main = command("items")

ROOT = Path(__file__).parents[3]
OWN_SUITE = ROOT / "data" / "forced_choice"


def section(suite: str, seed: int = 1, share: float = 0.5, **values: Any) -> dict[str, Any]:
    sizes = {"items_per_cluster": 0, "clusters_per_category": 0, **values}
    return {"seed": seed, "prompts.calibration_share": share, f"prompts.{suite}": sizes}


def folder_of(suite: str, raw: Path) -> Path:
    return OWN_SUITE if suite == "forced_choice" else raw


def made(clusters: int, blocks: int, cells: int, options: int = 3) -> list[Item]:
    """A full design: each block has every cell; odd blocks have arm 1."""
    return [
        Item(
            item_id=f"bbq/{cluster:02d}/{block}/{cell}",
            suite="bbq",
            category="Age",
            cluster=f"Age/{cluster}",
            condition="ambiguous",
            context="",
            question="",
            options=tuple(f"option {index}" for index in range(options)),
            roles=("stereotype", "anti_stereotype", "unknown", "unrelated")[:options],
            label=0,
            source="made",
            errata="",
            design=Design(str(block), cell, block % 2),
        )
        for cluster in range(clusters)
        for block in range(blocks)
        for cell in range(cells)
    ]


def drawn(items: list[Item], per_category: int, per_cluster: int, seed: int) -> list[Item]:
    clusters = ordered_clusters(items, seed)
    splits = split_clusters(clusters, 0.5)
    return subsample(
        items,
        clusters,
        splits,
        SubsampleSettings(clusters_per_category=per_category, items_per_cluster=per_cluster),
        seed,
    )


@pytest.mark.parametrize("suite", SUITES.names())
def test_command_writes_the_contract_twice_the_same(suite: str, raw: Path, tmp_path: Path) -> None:
    written = []
    size = 4 if 4 % SUITES.get(suite).matched == 0 else SUITES.get(suite).matched
    given_by_users = {"gsm8k": raw / "gsm8k"}
    folder = given_by_users.get(suite, ROOT / SUITES.get(suite).folder(raw))
    for name in ("one", "two"):
        output = tmp_path / name / f"{suite}.parquet"
        main(
            [
                *("--suite", suite, "--raw-folder", str(folder)),
                *("--settings", json.dumps(section(suite, items_per_cluster=size)), "--output", str(output)),
            ]
        )
        written.append(output.read_bytes())
    assert written[0] == written[1]
    table = pd.read_parquet(output)
    assert tuple(table.columns) == COLUMNS
    assert table["item_id"].is_monotonic_increasing
    assert table["item_id"].is_unique
    assert set(table["suite"]) == {suite}
    assert (
        set(table["split"]) == {"calibration", "held_out"}
        or table["cluster"].nunique() < 2 * table["category"].nunique()
    )
    for row in table.itertuples():
        assert sorted(row.permutation) == list(range(len(row.options)))


def test_stereoset_draws_intrasentence_unless_told(raw: Path) -> None:
    default = build_items("stereoset", raw, section("stereoset"))
    assert {item.condition for item in default} == {"intrasentence"}
    both = build_items("stereoset", raw, section("stereoset", conditions=["intrasentence", "intersentence"]))
    assert {item.condition for item in both} == {"intrasentence", "intersentence"}


def test_chosen_categories_keep_the_clusters_and_splits_of_the_whole_suite(raw: Path) -> None:
    everything = build_items("bbq", raw, section("bbq", items_per_cluster=2))
    some = build_items("bbq", raw, section("bbq", items_per_cluster=2, categories=["Religion", "Age"]))
    assert {item.category for item in some} == {"Age", "Religion"}
    assert some == [item for item in everything if item.category in {"Age", "Religion"}]
    with pytest.raises(InputError, match=r"prompts\.bbq\.categories: 'Creed' is not a category .*'Religion'"):
        build_items("bbq", raw, section("bbq", categories=["Creed"]))


def test_winobias_keeps_partners_together(raw: Path) -> None:
    items = build_items("winobias", raw, section("winobias", items_per_cluster=2))
    pairs = Counter(item.item_id.rpartition("/")[0] for item in items)
    assert set(pairs.values()) == {2}
    assert len({item.cluster for item in items}) == len(pairs)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_winogender_quartets_are_balanced(raw: Path, seed: int) -> None:
    items = build_items("winogender", raw, section("winogender", seed=seed, items_per_cluster=4))
    assert len(items) == 4 * 4
    for cluster in {item.cluster for item in items}:
        group = [item for item in items if item.cluster == cluster]
        assert len({item.design.block for item in group}) == 1
        assert Counter((item.condition, item.roles[item.label]) for item in group) == Counter(
            (gender, role) for gender in ("male", "female") for role in ("stereotype", "anti_stereotype")
        )


def test_forced_choice_quartets_are_balanced() -> None:
    items = build_items("forced_choice", OWN_SUITE, section("forced_choice", items_per_cluster=4))
    for cluster in {item.cluster for item in items}:
        group = [item for item in items if item.cluster == cluster]
        assert len({item.design.block for item in group}) == 1
        assert Counter((item.condition, item.roles[0]) for item in group) == Counter(
            (condition, role) for condition in ("binary", "with_unknown") for role in ("stereotype", "anti_stereotype")
        )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bbq_with_one_item_a_template_balances_condition_and_polarity(raw: Path, seed: int) -> None:
    items = build_items("bbq", raw, section("bbq", seed=seed, items_per_cluster=1))
    assert len(items) == 16
    for split in ("calibration", "held_out"):
        for category in ("Age", "Religion"):
            group = [item for item in items if (item.split, item.category) == (split, category)]
            assert Counter(item.design.cell for item in group) == {0: 1, 1: 1, 2: 1, 3: 1}


@given(clusters=st.integers(1, 30), share=st.floats(0, 0.99), seed=st.integers(0, 2**31))
def test_every_prefix_of_the_split_meets_the_share(clusters: int, share: float, seed: int) -> None:
    order = ordered_clusters(made(clusters, 1, 1), seed)
    assert sorted(order["Age"]) == sorted(f"Age/{number}" for number in range(clusters))
    splits = split_clusters(order, share)
    for length in range(1, clusters + 1):
        calibration = sum(splits[name] == "calibration" for name in order["Age"][:length])
        assert abs(calibration - share * length) < 1 + 1e-9


@settings(max_examples=40)
@given(
    clusters=st.integers(1, 12),
    blocks=st.integers(1, 4),
    cells=st.sampled_from([1, 2, 4]),
    per_category=st.integers(0, 14),
    per_cluster=st.integers(0, 18),
    seed=st.integers(0, 1000),
)
def test_a_subsample_is_balanced_and_of_the_size_asked_for(
    clusters: int, blocks: int, cells: int, per_category: int, per_cluster: int, seed: int
) -> None:
    items = made(clusters, blocks, cells)
    chosen = drawn(items, per_category, per_cluster, seed)
    assert len({item.item_id for item in chosen}) == len(chosen)
    counts = Counter(item.cluster for item in chosen)
    assert len(counts) == min(per_category or clusters, clusters)
    assert set(counts.values()) == {min(per_cluster or blocks * cells, blocks * cells)}
    for cluster in counts:
        used = Counter(item.design.cell for item in chosen if item.cluster == cluster)
        assert max(used.values()) - min(used[cell] for cell in range(cells)) <= 1
    # The order in which the items came does not matter.
    assert {i.item_id for i in drawn(items[::-1], per_category, per_cluster, seed)} == {i.item_id for i in chosen}


def test_whole_blocks_are_drawn_whole_and_arms_take_turns() -> None:
    chosen = drawn(made(8, 4, 4), 0, 4, seed=5)
    blocks = {(item.cluster, item.design.block, item.design.arm) for item in chosen}
    assert len(blocks) == 8
    assert Counter(arm for *_, arm in blocks) == {0: 4, 1: 4}


def test_one_item_a_cluster_crosses_cells_with_arms() -> None:
    chosen = drawn(made(16, 4, 4), 0, 1, seed=5)
    assert set(Counter((item.design.cell % 2, item.design.arm) for item in chosen).values()) == {4}


def test_incomplete_blocks_come_last() -> None:
    items = [item for item in made(6, 3, 4) if item.design.block != "1" or item.design.cell == 0]
    assert "1" not in {item.design.block for item in drawn(items, 0, 4, seed=3)}


def test_a_larger_draw_keeps_the_smaller_one_and_its_splits(raw: Path) -> None:
    few = build_items("bbq", raw, section("bbq", clusters_per_category=3, items_per_cluster=1))
    more = build_items("bbq", raw, section("bbq", clusters_per_category=7, items_per_cluster=1))
    assert {(i.item_id, i.split, i.permutation) for i in few} <= {(i.item_id, i.split, i.permutation) for i in more}


def test_another_category_or_seed(raw: Path) -> None:
    before = build_items("bbq", raw, section("bbq", items_per_cluster=2))
    other_seed = build_items("bbq", raw, section("bbq", seed=2, items_per_cluster=2))
    assert {i.item_id for i in before} != {i.item_id for i in other_seed}
    (raw / "BBQ" / "data" / "Religion.jsonl").write_text("", encoding="utf-8")
    without = build_items("bbq", raw, section("bbq", items_per_cluster=2))
    assert without == [item for item in before if item.category == "Age"]


@settings(max_examples=30)
@given(n_items=st.integers(1, 20), options=st.integers(2, 3), seed=st.integers(0, 1000))
def test_permutations_are_used_equally_within_a_cluster(n_items: int, options: int, seed: int) -> None:
    shown = with_permutations(made(2, n_items, 1, options), seed)
    for cluster in ("Age/0", "Age/1"):
        used = Counter(item.permutation for item in shown if item.cluster == cluster)
        counts = [used[order] for order in permutations(range(options))]
        assert sum(counts) == n_items
        assert max(counts) - min(counts) <= 1


def test_permutations_are_balanced_across_clusters_of_one_item() -> None:
    shown = with_permutations(drawn(made(48, 1, 4), 0, 1, seed=2), seed=2)
    for cell in range(4):
        used = Counter(item.permutation for item in shown if item.design.cell == cell)
        assert set(used.values()) == {2}


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"items_per_cluster": -1}, r"prompts\.bbq\.items_per_cluster is -1"),
        ({"clusters_per_category": 1.5}, r"clusters_per_category is 1\.5"),
        ({"items_per_cluster": True}, "items_per_cluster is True"),
        ({"clusters": 3}, "unknown key 'clusters' at prompts.bbq"),
        ({"conditions": ["vague"]}, r"prompts\.bbq\.conditions: 'vague' is not a condition"),
        ({"conditions": []}, r"prompts\.bbq\.conditions is \[\]; a list of at least 1"),
        ({"categories": "Age"}, r"prompts\.bbq\.categories is 'Age'; a list"),
    ],
)
def test_impossible_numbers_are_refused(raw: Path, values: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        build_items("bbq", raw, section("bbq", **values))


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, "half", True, float("nan")])
def test_impossible_share_is_refused(raw: Path, share: Any) -> None:
    with pytest.raises(InputError, match=r"prompts\.calibration_share"):
        build_items("bbq", raw, section("bbq", share=share))


def test_missing_keys_and_unknown_suites_are_refused(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"key 'prompts\.bbq' is missing"):
        build_items("bbq", raw, section("winobias"))
    with pytest.raises(InputError, match=r"prompts\.bbq; did you mean 'items_per_cluster'"):
        build_items("bbq", raw, {**section("bbq"), "prompts.bbq": {"item_per_cluster": 1}})
    with pytest.raises(InputError, match="'bqq' is not known"):
        main(["--suite", "bqq", "--settings", "{}", "--output", str(tmp_path / "x.parquet")])
    assert not (tmp_path / "x.parquet").exists()


def test_a_pair_of_equal_sentences_is_refused(raw: Path) -> None:
    path = raw / "CrowS-Pairs" / "data" / "crows_pairs_anonymized.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("She won.", "He won."), encoding="utf-8")
    with pytest.raises(InputError, match=r"crows_pairs/0002 .*options are equal"):
        to_table(build_items("crows_pairs", raw, section("crows_pairs")))

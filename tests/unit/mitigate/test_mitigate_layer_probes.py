"""Layer probes: they find what was planted in a block, and nothing in what a cluster alone has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.backends.base import OptionRequest
from edgebias.cli import command
from edgebias.core.errors import InputError, run_stage
from edgebias.mitigate.held_out import COLUMNS
from edgebias.mitigate.probes.layer_probes import (
    BIAS,
    CHANCE,
    FLIPPED,
    LAYER_PROBE,
    LENGTH,
    WORDS,
    Pair,
    ProbeSettings,
    Representations,
    embedding_rows,
    layer_probe_table,
    ranked_right,
    read_pairs,
    representations,
)
from edgebias.mitigate.steering.directions import FROM_HIDDEN_STATES, PCA, PROBE, Contrast
from edgebias.report.table_reference.markdown import read_listed
from edgebias.stats.bootstrap import Resampling

main = command("layer-probes")

WIDTH, N_CLUSTERS, N_OF_CLUSTER = 12, 48, 4
NOISE, PLANTED, CLUSTER_ONLY, STRONG, LATER_NOISE = range(5)
"""The blocks of the synthetic model, by what tells its completions apart."""
STRENGTH = {PLANTED: 1.2, STRONG: 4.0}
AXIS = np.eye(WIDTH)[3]
HOW = ProbeSettings(("stereoset",), 3, 30, Resampling(3, 300, 0.95))
FEW_FLIPS = ProbeSettings(("stereoset",), 5, 5, Resampling(3, 300, 0.95))
SEEDS = range(2)


class Synthetic:
    """Hidden states that hold a direction in some blocks, and in another one a signal of each cluster's own."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def hidden_states(self, requests: Sequence[OptionRequest]) -> Iterator[np.ndarray]:
        for request in requests:
            cluster, number = (int(part) for part in (request.prompt.text or "").split())
            rng = np.random.default_rng([self.seed, cluster, number])
            states = rng.normal(size=(2, 5, WIDTH))
            for block, strength in STRENGTH.items():
                states[1, block] += strength * AXIS
            states[1, CLUSTER_ONLY] += 20.0 * np.random.default_rng([self.seed, cluster]).normal(size=WIDTH)
            yield states.astype(np.float32)

    def tokenise(self, text: str, *, special: bool) -> list[int]:
        return list(text.encode())


def embed(tokens: Sequence[int]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(256, WIDTH)).astype(np.float32)[list(tokens)]


def pairs_of(seed: int) -> list[Pair]:
    """Completions of random letters and lengths."""
    rng = np.random.default_rng([seed, 7])

    def word() -> str:
        return " " + "".join(rng.choice(list("abcdefgh"), size=rng.integers(3, 9)))

    return [
        Pair(Contrast(f"{cluster} {number}", word(), word()), f"stereoset/{cluster:02d}", f"c{cluster % 2}")
        for cluster in range(N_CLUSTERS)
        for number in range(N_OF_CLUSTER)
    ]


@pytest.fixture(scope="module")
def tables() -> list[pd.DataFrame]:
    """The table of each of several synthetic models."""
    found = []
    for seed in SEEDS:
        pairs = pairs_of(seed)
        what = representations(Synthetic(seed), [pair.contrast for pair in pairs], embed)
        found.append(layer_probe_table(what, pairs, HOW))
    return found


def rows(tables: list[pd.DataFrame], target: str, layer: int) -> pd.DataFrame:
    every = pd.concat(tables)
    return every[(every["target"] == target) & (every["layer"] == layer)]


@pytest.mark.parametrize(("layer", "least"), [(PLANTED, 70.0), (STRONG, 95.0)])
def test_a_planted_direction_is_legible_where_it_was_planted(
    tables: list[pd.DataFrame], layer: int, least: float
) -> None:
    found = rows(tables, BIAS, layer)
    assert (found["low"] > CHANCE).all()
    assert (found["accuracy"] > least).all()
    assert (found["p"] == 1 / 31).all()
    assert found["p_corrected"].between(1 / 31, 0.1).all()
    assert (found["above_words_low"] > 0).all()


def test_noise_and_what_is_peculiar_to_a_cluster_are_chance(tables: list[pd.DataFrame]) -> None:
    """A probe that saw other pairs of a tested cluster would rank all of block `CLUSTER_ONLY` right."""
    found = pd.concat([rows(tables, BIAS, layer) for layer in (NOISE, LATER_NOISE, CLUSTER_ONLY)])
    covered = (found["low"] <= CHANCE) & (found["high"] >= CHANCE)
    assert covered.sum() >= len(found) - 1
    assert (found["p"] <= 0.05).sum() <= 1
    assert (found["above_words_low"] > 0).sum() <= 1


def test_what_is_peculiar_to_a_cluster_is_found_by_whoever_breaks_clusters_up_and_by_nobody_else() -> None:
    """Mean of many draws: a single one is 9 points from chance, since a cluster is right or wrong as a whole."""
    whole, broken = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        own = np.repeat(rng.normal(size=(N_CLUSTERS, WIDTH)), N_OF_CLUSTER, axis=0)
        differences = own + 0.1 * rng.normal(size=own.shape)
        whole.append(ranked_right(differences, np.arange(len(own)) // N_OF_CLUSTER % 5).mean())
        broken.append(ranked_right(differences, np.arange(len(own)) % N_OF_CLUSTER).mean())
    assert np.mean(whole) == pytest.approx(0.5, abs=0.04)
    assert np.mean(broken) > 0.65


@pytest.mark.parametrize("layer", range(5))
def test_flipped_labels_are_chance_in_every_block(tables: list[pd.DataFrame], layer: int) -> None:
    found = rows(tables, FLIPPED, layer)
    assert ((found["low"] < CHANCE) & (found["high"] > CHANCE)).all()
    assert found["accuracy"].between(45, 55).all()
    assert found[["p", "p_corrected", "above_words"]].isna().all(axis=None)


@pytest.mark.parametrize("target", [WORDS, LENGTH])
def test_random_words_tell_nothing(tables: list[pd.DataFrame], target: str) -> None:
    found = rows(tables, target, -1)
    assert (found["p"] == found["p_corrected"]).all()
    assert (found["p"] > 0.04).all()


def test_words_and_length_are_found_where_they_tell_the_completions_apart() -> None:
    pairs = [
        Pair(Contrast(f"{n} 0", " bad" + n % 3 * "d", " fine" + n % 3 * "e"), f"{n % 12:02d}", "c") for n in range(48)
    ]
    what = representations(Synthetic(0), [pair.contrast for pair in pairs], embed)
    table = layer_probe_table(what, pairs, FEW_FLIPS).set_index("target")
    assert table.loc[[WORDS, LENGTH, "last_token"], "accuracy"].eq(100.0).all()
    assert (table.loc[[BIAS], "above_words"] <= 0).all()


def test_the_same_words_in_another_order_are_a_tie() -> None:
    pairs = [Pair(Contrast(f"{n} 0", f" abc{n:02d}z", f" cba{n:02d}z"), f"{n:02d}", "c") for n in range(20)]
    what = representations(Synthetic(0), [pair.contrast for pair in pairs], embed)
    table = layer_probe_table(what, pairs, FEW_FLIPS)
    controls = table[table["layer"] == -1]
    assert len(controls) == 3
    assert (controls["accuracy"] == CHANCE).all()
    assert (controls["p"] == 1.0).all()


@pytest.mark.parametrize("source", [PCA, PROBE])
def test_the_direction_of_a_legible_block_is_the_planted_one(source: str) -> None:
    found = FROM_HIDDEN_STATES[source](Synthetic(0), [pair.contrast for pair in pairs_of(0)])
    assert found.unit[STRONG] @ AXIS > 0.95
    assert abs(found.unit[NOISE + 4] @ AXIS) < 0.9


def test_the_table_is_sorted_whole_and_keeps_its_declaration(tables: list[pd.DataFrame], tmp_path: Path) -> None:
    LAYER_PROBE.write(tables[0], tmp_path / "layer_probes.csv")
    back = read_listed(tmp_path / "layer_probes.csv", LAYER_PROBE)
    assert list(zip(back["layer"], back["target"], strict=True)) == [
        *((-1, target) for target in ("last_token", "length", "words")),
        *((layer, target) for layer in range(5) for target in ("bias", "flipped_labels")),
    ]
    assert (back["n"] == N_CLUSTERS * N_OF_CLUSTER).all()
    assert (back["n_clusters"] == N_CLUSTERS).all()


@settings(max_examples=30)
@given(st.integers(0, 2**16), st.integers(2, 6), st.floats(0.001, 1000))
def test_ranks_do_not_depend_on_units_axes_order_or_which_completion_is_called_which(
    seed: int, folds: int, unit: float
) -> None:
    rng = np.random.default_rng(seed)
    differences = rng.normal(size=(24, 5)) + 0.5
    fold = np.arange(24) % folds
    right = ranked_right(differences, fold)
    order = rng.permutation(24)
    assert set(right) <= {0.0, 0.5, 1.0}
    np.testing.assert_array_equal(ranked_right(differences[order], fold[order]), right[order])
    np.testing.assert_array_equal(ranked_right(unit * differences, fold), right)
    np.testing.assert_array_equal(ranked_right(-differences, fold), right)
    turned, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    np.testing.assert_array_equal(ranked_right(differences @ turned, fold), right)


def test_a_pair_is_never_ranked_by_a_probe_that_saw_its_fold() -> None:
    """Each fold has an axis of its own, which no other fold can teach: all ties."""
    differences = np.repeat(np.eye(4), 3, axis=0)
    np.testing.assert_array_equal(ranked_right(differences, np.repeat(np.arange(4), 3)), 0.5)


@pytest.mark.parametrize("folds", [1, N_CLUSTERS + 1])
def test_a_number_of_folds_that_the_clusters_do_not_allow_is_one_clear_line(folds: int) -> None:
    pairs = pairs_of(0)
    nothing = Representations(np.zeros((1, len(pairs), 2)), {})
    with pytest.raises(InputError, match=rf"layer_probes.folds: {folds} folds of the 48 clusters"):
        layer_probe_table(nothing, pairs, ProbeSettings(("stereoset",), folds, 10, Resampling(1, 100, 0.95)))


def item_table(n: int, split: str = "calibration") -> pd.DataFrame:
    """``n`` sentence pairs in clusters of two."""
    columns: dict[str, list[Any]] = {name: [""] * n for name in COLUMNS}
    return pd.DataFrame(
        columns
        | {
            "item_id": [f"stereoset/{row:03d}" for row in range(n)],
            "suite": ["stereoset"] * n,
            "category": ["age"] * n,
            "cluster": [f"age/{row // 2}" for row in range(n)],
            "condition": ["intrasentence"] * n,
            "options": [[f"The {row} was kind.", f"The {row} was rude to us."] for row in range(n)],
            "roles": [["anti_stereotype", "stereotype"]] * n,
            "permutation": [[0, 1]] * n,
            "split": [split] * n,
        }
    ).assign(label=-1)


def test_pairs_are_calibration_items_with_both_roles_each_once(tmp_path: Path) -> None:
    calibration = item_table(4)
    calibration.at[1, "options"] = calibration.at[0, "options"]
    calibration.at[2, "roles"] = ["anti_stereotype", "unrelated"]
    held_out = item_table(6, "held_out").iloc[4:]
    pd.concat([calibration, held_out]).to_parquet(tmp_path / "stereoset.parquet")
    assert read_pairs(tmp_path, ["stereoset", "forced_choice"]) == [
        Pair(Contrast("", "The 0 was rude to us.", "The 0 was kind."), "stereoset/age/0", "stereoset/age"),
        Pair(Contrast("", "The 3 was rude to us.", "The 3 was kind."), "stereoset/age/1", "stereoset/age"),
    ]


def test_items_without_both_roles_and_absent_suites_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no item table of \['bbq'\]"):
        read_pairs(tmp_path, ["bbq"])
    item_table(4).assign(roles=[["anti_stereotype", "unrelated"]] * 4).to_parquet(tmp_path / "stereoset.parquet")
    with pytest.raises(InputError, match=r"no calibration item of \['stereoset'\] has both roles"):
        read_pairs(tmp_path, ["stereoset"])


def command(weights: Path, folder: Path, **changed: Any) -> list[str]:
    section = {"suites": ["stereoset"], "folds": 3, "flips": 20, "resamples": 100, "confidence": 0.95} | changed
    given = {
        "seed": 1,
        "infer": {"formats": {}, "max_new_tokens": 8},
        "layer_probes": section,
        "models.m": {"start_token": "<|endoftext|>"},
        "environments.edge": {"backend": "llama", "threads": 1, "memory_mb": 4096, "context": 256},
    }
    options = {"settings": json.dumps(given), "items-folder": folder, "weights": weights, "table": folder / "p.csv"}
    return [*(part for name, value in options.items() for part in (f"--{name}", str(value)))]


def test_the_command_probes_every_block_of_a_build_twice_alike(tiny: Path, tmp_path: Path) -> None:
    item_table(12).to_parquet(tmp_path / "stereoset.parquet")
    main(command(tiny, tmp_path))
    first = (tmp_path / "p.csv").read_bytes()
    main(command(tiny, tmp_path))
    assert (tmp_path / "p.csv").read_bytes() == first
    table = read_listed(tmp_path / "p.csv", LAYER_PROBE)
    assert table["layer"].max() == 2
    words = table[table["target"] == WORDS].iloc[0]
    assert words["accuracy"] == 100.0  # "kind" against "rude to us", whoever it is


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"folds": 7}, "layer_probes.folds: 7 folds of the 6 clusters"),
        ({"folds": "many"}, "layer_probes.folds is 'many'; a whole number of at least 2"),
        ({"suites": ["bbq"]}, "has no item table of ['bbq']"),
    ],
)
def test_bad_settings_are_one_clear_line_and_leave_no_table(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], words: str
) -> None:
    item_table(12).to_parquet(tmp_path / "stereoset.parquet")
    with pytest.raises(SystemExit) as stopped:
        run_stage(main, command(tiny, tmp_path, **changed))
    assert stopped.value.code == 2
    message = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(message) == 1
    assert words in message[0]
    assert not (tmp_path / "p.csv").exists()


def test_embeddings_are_the_rows_of_the_file(tiny: Path, tmp_path: Path) -> None:
    from gguf import GGUFReader, GGUFWriter

    (stored,) = (tensor.data for tensor in GGUFReader(tiny).tensors if tensor.name == "token_embd.weight")
    np.testing.assert_array_equal(embedding_rows(tiny, [5, 0, 5]), stored[[5, 0, 5]])
    bare = GGUFWriter(tmp_path / "bare.gguf", "llama")
    bare.add_tensor("output.weight", np.zeros((2, 32), np.float32))
    bare.write_header_to_file()
    bare.write_kv_data_to_file()
    bare.write_tensors_to_file()
    bare.close()
    with pytest.raises(InputError, match=r"bare.gguf: has no tensor token_embd.weight"):
        embedding_rows(tmp_path / "bare.gguf", [0])


@pytest.mark.model
def test_the_real_model_reads_kindness_in_the_words_and_after_them(tmp_path: Path) -> None:
    weights = Path("data/models/smollm2-135m-instruct/full.gguf")
    if not weights.exists():
        pytest.skip(f"{weights} is not there; run `make data`")
    people = ["nurse", "guard", "cook", "baker", "pilot", "tailor", "farmer", "judge"]
    good, bad = ["kind", "gentle", "honest", "brave"], ["cruel", "violent", "corrupt", "lazy"]
    table = item_table(32)
    table["cluster"] = [people[row // 4] for row in range(32)]
    table["options"] = [
        [f"The {people[row // 4]} was {good[row % 4]}.", f"The {people[row // 4]} was {bad[row % 4]}."]
        for row in range(32)
    ]
    table.to_parquet(tmp_path / "stereoset.parquet")
    main(command(weights, tmp_path, folds=4))
    found = read_listed(tmp_path / "p.csv", LAYER_PROBE).set_index(["target", "layer"])
    assert found.loc[BIAS].index.tolist() == list(range(30))
    assert found.loc[(WORDS, -1), "accuracy"] == 100.0
    assert found.loc[("last_token", -1), "accuracy"] == CHANCE  # all end in a full stop
    assert found.loc[BIAS, "accuracy"].loc[10:25].min() > 90.0  # which has read the sentence

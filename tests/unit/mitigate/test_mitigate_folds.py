"""Folds of the calibration clusters, and the loop's build, which answers each under directions found without it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.core.errors import InputError
from edgebias.infer.answer import AnswerSettings
from edgebias.mitigate.steering.calibration_build import CalibrationBuild, CrossFitted
from edgebias.mitigate.steering.directions import Directions, from_vector
from edgebias.mitigate.steering.folds import ALL, fitted_on_of, fitted_part, fold_of_clusters, number_of_folds
from edgebias.mitigate.steering.loop import PassResult

CLUSTERS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), st.sampled_from("xyz"), min_size=5, max_size=30)
NEUTRAL = [f"Baker number {number} rises early in the morning to light the oven." for number in range(40)]
START = "<|endoftext|>"


def table(clusters: dict[str, str]) -> pd.DataFrame:
    rows = [
        {"item_id": f"{cluster}/{number}", "cluster": cluster, "category": category}
        for cluster, category in clusters.items()
        for number in range(2)
    ]
    return pd.DataFrame(rows)


@given(CLUSTERS, st.integers(2, 5), st.integers(0, 9))
def test_every_cluster_is_in_one_fold_and_folds_are_of_one_size(
    clusters: dict[str, str], folds: int, seed: int
) -> None:
    found = fold_of_clusters(table(clusters), folds, seed)
    assert set(found) == set(clusters)
    sizes = Counter(found.values())
    assert sorted(sizes) == list(range(1, folds + 1))
    assert max(sizes.values()) - min(sizes.values()) <= 1
    for category in set(clusters.values()):
        within = Counter(found[name] for name in clusters if clusters[name] == category)
        assert max(within.values()) - min(within.get(fold, 0) for fold in range(1, folds + 1)) <= 1


@given(CLUSTERS, st.integers(2, 5), st.integers(0, 9))
def test_what_is_left_without_each_fold_shares_no_cluster_with_it(
    clusters: dict[str, str], folds: int, seed: int
) -> None:
    whole = table(clusters)
    found = fold_of_clusters(whole, folds, seed)
    for fold, name in enumerate(fitted_on_of(folds), start=1):
        part = fitted_part({"s": whole}, name, folds=folds, seed=seed)["s"]
        assert set(part["cluster"]) == {cluster for cluster in clusters if found[cluster] != fold}
    assert len(fitted_part({"s": whole}, ALL, folds=folds, seed=seed)["s"]) == len(whole)


def test_what_cannot_be_folded_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"^mitigate.folds: 3 folds want as many clusters, and a suite has 2"):
        fold_of_clusters(table({"a": "x", "b": "x"}), 3, 0)
    with pytest.raises(InputError, match=r"^--fitted-on all_but_fold_3: unknown; choose one of \['all', "):
        fitted_part({"s": table({"a": "x", "b": "x"})}, "all_but_fold_3", folds=2, seed=0)
    for value in (1, True, "2", 2.0):
        with pytest.raises(InputError, match=r"mitigate.folds is .*; a whole number of at least 2 is needed"):
            number_of_folds({"mitigate": {"folds": value}})


def calibration_items() -> pd.DataFrame:
    words = ("is kind.", "ran off.", "sat there.", "lied to us.")
    rows = [
        {
            "item_id": f"stereoset/{number:02d}",
            "suite": "stereoset",
            "category": "profession",
            "cluster": f"cluster {number // 2}",
            "context": "",
            "question": "",
            "options": [f"The {who} {words[number % 4]}", f"The {who} {words[(number + 1) % 4]}", "The blue of seven."],
            "roles": ["stereotype", "anti_stereotype", "unrelated"],
            "label": -1,
            "permutation": [0, 1, 2],
            "polarity": "",
            "condition": "intrasentence",
            "split": "calibration",
        }
        for number, who in enumerate(("baker", "guard", "cook", "nurse", "judge", "clerk", "thief", "smith"))
    ]
    return pd.DataFrame(rows)


def directions(backend: LlamaBackend, length: float) -> Directions:
    drawn = np.random.default_rng(5).standard_normal((backend.n_layer, backend.n_embd))
    vector = (length * drawn).astype(np.float32)
    vector[0] = 0.0
    return from_vector(vector, "learned")


def passed(backend: LlamaBackend, first: float, second: float) -> PassResult:
    """All items at a gain of 1: fold 1 is steered by ``first``, fold 2 by ``second``; what is shipped is far away."""
    answer = AnswerSettings(seed=3, max_new_tokens=1, max_new_tokens_text=1)
    crossed = CrossFitted(directions(backend, 99.0), [directions(backend, first), directions(backend, second)])
    target = CalibrationBuild(backend, crossed, {"stereoset": calibration_items()}, NEUTRAL, [], answer).target()
    target.apply(np.ones(backend.n_layer))
    return target.full_pass()


def test_each_fold_is_answered_under_its_own_directions_and_none_under_those_that_are_shipped(tiny: Path) -> None:
    strong = 0.5
    with LlamaBackend(tiny, threads=1, context=256, start_token=START) as backend:
        plain, both = passed(backend, 0.0, 0.0).bias, passed(backend, strong, strong).bias
        one, other = passed(backend, strong, 0.0).bias, passed(backend, 0.0, strong).bias
    # Folds are of one size, so that what one and the other fold change adds up to what both change.
    assert one - plain + other - plain == pytest.approx(both - plain)
    assert one != plain
    assert other != plain

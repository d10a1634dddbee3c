"""The seed paper's measurement with and without mitigation: forced choices, 1,500 repeats, windows of 32.

    python benchmarks/repeated_forced_choice.py FOLDER                      FOLDER of results/edge/mitigation/E/M/V
    python benchmarks/repeated_forced_choice.py FOLDER --items data/items/edge/forced_choice.parquet --repeats 1500

Held-out forced choices are put to the pruned INT8 build as it is, and under the vectors that the feedback loops left in
FOLDER, as the stage `rounds` puts them: the probabilities of the letters shown, from which the repeats are drawn with
one seed for all. Prints the stereotype rate B (per cent of the choices of one of the two groups) over all repeats, in
the first and in the last window, and the two readings of the paper's 79.28 % (docs/design/loop.md): the part of B that
is gone, and the part of the distance of B from 50, with intervals over templates (paired bootstrap).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pandas as pd
import yaml
from likelihood_throughput import MODEL, START_TOKEN
from studied_method import studied

from edgebias.backends.base import Backend
from edgebias.backends.local.llama import LlamaBackend
from edgebias.core.arrays import FloatArray
from edgebias.infer.cost import Stopwatch
from edgebias.infer.items import Item, items_from_table
from edgebias.infer.rounds.independent import independent_rounds
from edgebias.metrics.answers import ANTI_STEREOTYPE, STEREOTYPE
from edgebias.metrics.metric import percent
from edgebias.mitigate.held_out import HELD_OUT, read_split
from edgebias.mitigate.registry import LOOPS, NONE
from edgebias.mitigate.steering.controller import IDEAL
from edgebias.stats.bootstrap import bootstrap
from edgebias.stats.clusters import Clusters, Formula
from edgebias.suites.over_time.metrics import WINDOW

RESAMPLES, CONFIDENCE = 2000, 0.95


def choices(backend: Backend, items: Sequence[Item], repeats: int, seed: int) -> list[tuple[str, bool]]:
    """Item and "stereotype-consistent?" of every repeat that chose one of the two groups, in order of the rounds."""
    rows, mass = independent_rounds(backend, items, repeats, 1.0, seed, Stopwatch())
    print(f"    letters have {100.0 * (mass or 0.0):.0f} % of the probability", flush=True)
    sides = (STEREOTYPE, ANTI_STEREOTYPE)
    return [(str(row["item_id"]), row["outcome"] == STEREOTYPE) for row in rows if row["outcome"] in sides]


def by_cluster(found: Sequence[tuple[str, bool]], cluster: pd.Series) -> pd.DataFrame:
    """Stereotype-consistent choices and choices of either group, of each cluster."""
    table = pd.DataFrame(found, columns=["item_id", "hit"])
    return table.groupby(table["item_id"].map(cluster))["hit"].agg(["sum", "count"]).reindex(sorted(set(cluster)))


def less(totals: FloatArray) -> FloatArray:
    """Per cent of B that is gone, of totals without and with mitigation."""
    return 100.0 * (1.0 - percent(totals[..., 2:]) / percent(totals[..., :2]))


def nearer(totals: FloatArray) -> FloatArray:
    """Per cent of the distance of B from 50 that is gone."""
    before, after = (np.abs(percent(totals[..., part]) - IDEAL) for part in (slice(0, 2), slice(2, 4)))
    with np.errstate(divide="ignore"):  # a resample at 50 without mitigation
        return np.asarray(100.0 * (1.0 - after / before))


def interval(sums: pd.DataFrame, formula: Formula, bounds: tuple[float, float]) -> str:
    """Estimate and interval of a formula of the clusters' sums."""
    clusters = Clusters(sums.index.to_numpy(dtype=str), np.array(["all"] * len(sums)), sums.to_numpy(dtype=np.float64))
    found = bootstrap(
        clusters,
        formula,
        bounds=bounds,
        resamples=RESAMPLES,
        confidence=CONFIDENCE,
        rng=np.random.default_rng(0),
    )
    return f"{found.estimate:.1f} [{found.low:.1f}, {found.high:.1f}]"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--items", type=Path, default=Path("data/items/edge/forced_choice.parquet"))
    parser.add_argument("--build", default="wanda50_q8_0.gguf")
    parser.add_argument("--repeats", type=int, default=1500)
    options = parser.parse_args(arguments)
    seed = int(yaml.safe_load(Path("params.yaml").read_text())["seed"])
    table = read_split(options.items, HELD_OUT)
    items = items_from_table(table, "forced_choice", "forced_choice")
    cluster = table.set_index("item_id")["cluster"]
    print(f"{len(items)} held-out forced choices of {cluster.nunique()} templates, {options.repeats} repeats")
    weights = MODEL / options.build
    with LlamaBackend(weights, threads=1, context=2560, start_token=START_TOKEN) as build:
        before: pd.DataFrame | None = None
        for name in (NONE, *LOOPS):
            model = studied(build, name, options.folder, weights)
            print(f"  {name}", flush=True)
            found = choices(model.backend, items, options.repeats, seed)
            sums = by_cluster(found, cluster).fillna(0.0)
            windows = [100.0 * float(np.mean([hit for _, hit in part])) for part in (found[:WINDOW], found[-WINDOW:])]
            print(
                f"    B {interval(sums, percent, (0.0, 100.0))}, first window {windows[0]:.0f}, last {windows[1]:.0f}",
                flush=True,
            )
            if before is None:
                before = sums
                continue
            both = pd.concat([before, sums], axis="columns")
            print(
                f"    gone of B, per cent: {interval(both, less, (-np.inf, 100.0))}; "
                f"of its distance from 50: {interval(both, nearer, (-np.inf, 100.0))}",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""Time and memory of scoring a response to every BBQ item (56,566 after the errata) with 10,000 bootstrap resamples.

    python benchmarks/score_all_of_bbq.py

Runs the real stage (``python -m edgebias.stages.score``) in a process of its own on the real items, answered by a
seeded random responder, and prints seconds and peak memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from edgebias.checks.oracle.items import suite_items
from edgebias.checks.oracle.responders import reply


def main() -> None:
    """Make the tables, run the stage, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw-folder", type=Path, default=Path("data/raw/benchmarks"))
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20250217)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    items = suite_items("bbq", options.raw_folder)
    rows = []
    answers = rng.choice(["stereotype", "anti_stereotype", "unknown", "refusal"], len(items), p=[0.4, 0.3, 0.25, 0.05])
    for item, answer in zip(items, answers, strict=True):
        said = reply(item, str(answer))
        rows.append(
            {
                "item_id": item["item_id"],
                "format": "letter",
                "permutation": list(item["permutation"]),
                "template": "letter_chat_v1",
                "round": 0,
                "option_logprobs": [],
                "n_tokens": [],
                "choice": said.choice,
                "outcome": said.answer,
            }
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pd.DataFrame(items).drop(columns="design").to_parquet(folder / "items.parquet")
        pd.DataFrame(rows).to_parquet(folder / "responses.parquet")
        settings = {"seed": options.seed, "score": {"resamples": options.resamples, "confidence": 0.95}}
        started = time.perf_counter()
        subprocess.run(
            [
                *(sys.executable, "-m", "edgebias.stages.score", "--settings", json.dumps(settings), "--suite", "bbq"),
                *("--items", str(folder / "items.parquet"), "--responses", str(folder / "responses.parquet")),
                *("--output", str(folder / "scores.csv")),
            ],
            check=True,
        )
        seconds = time.perf_counter() - started
        scores = pd.read_csv(folder / "scores.csv")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{len(rows)} responses, {len(scores)} scores, {options.resamples} resamples: {seconds:.1f} s, {peak:.0f} MB")


if __name__ == "__main__":
    main()

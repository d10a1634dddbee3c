"""Time and memory as items grow: BBQ by option log-likelihood in the transformers backend.

    python benchmarks/scaling.py                              100, 1,000 and 4,000 items, 2 threads (some minutes)
    python benchmarks/scaling.py --items 100 1000 58492       all of BBQ as well (half an hour)
    python benchmarks/scaling.py --backend llama --items 100 400

Items are BBQ's families of four, spread evenly over all files. Each size runs in a process of its own; loading is
not counted. Time should grow as the items do, and memory should not.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pandas as pd
from likelihood_throughput import CONTEXT, FAMILY, MODEL, START_TOKEN

from edgebias.backends.base import OptionRequest
from edgebias.infer.items import items_from_table
from edgebias.infer.wording import likelihood_wording
from edgebias.oracle.items import suite_items


def requests_of(n_items: int, raw: Path) -> list[OptionRequest]:
    """The likelihood requests of ``n_items`` items of all files: families of four, evenly spaced; all if fewer."""
    items = items_from_table(pd.DataFrame(suite_items("bbq", raw)), "BBQ", "bbq")
    families = len(items) // FAMILY
    wanted = min(families, -(-n_items // FAMILY))
    starts = [index * families // wanted * FAMILY for index in range(wanted)]
    chosen = [item for start in starts for item in items[start : start + FAMILY]]
    wordings = [likelihood_wording(item) for item in chosen[:n_items]]
    return [OptionRequest(wording.prompt, wording.continuations) for wording in wordings]


def measure(backend: str, n_items: int, threads: int, raw: Path) -> dict[str, float]:
    """Items, seconds, and resident memory (MB) before the first answer and at most."""
    from edgebias.backends.open import open_backend

    requests = requests_of(n_items, raw)
    weights = MODEL / ("full.transformers" if backend == "torch" else "full.gguf")
    environment = {"backend": backend, "threads": threads, "context": CONTEXT}
    with open_backend(environment, {"start_token": START_TOKEN}, weights) as model:
        loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        started = time.perf_counter()
        answered = sum(1 for _ in model.score(requests))
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"items": answered, "seconds": seconds, "loaded_mb": loaded, "peak_mb": peak}


def in_own_process(options: argparse.Namespace, n_items: int) -> dict[str, float]:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--measure", str(n_items), "--backend", options.backend]
    command += ["--threads", str(options.threads), "--raw-folder", str(options.raw_folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SystemExit(f"error: {n_items} items ended with status {done.returncode}: {last}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one row a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[100, 1000, 4000])
    parser.add_argument("--backend", choices=["torch", "llama"], default="torch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--raw-folder", type=Path, default=Path("data/raw/benchmarks"))
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measure(options.backend, options.measure, options.threads, options.raw_folder)))
        return
    print(f"{options.backend}, {options.threads} threads")
    print(f"{'items':>8} {'seconds':>9} {'items/s':>8} {'MB loaded':>10} {'MB at most':>11}")
    for size in options.items:
        found = in_own_process(options, size)
        rate = found["items"] / found["seconds"]
        print(
            f"{found['items']:8.0f} {found['seconds']:9.1f} {rate:8.1f} {found['loaded_mb']:10.0f} "
            f"{found['peak_mb']:11.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

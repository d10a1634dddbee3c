"""Time and memory as items grow: BBQ by option log-likelihood, in the transformers backend unless told otherwise.

    python benchmarks/scaling.py                              100, 1,000 and 4,000 items, 2 threads (some minutes)
    python benchmarks/scaling.py --items 100 1000 58492       all of BBQ as well (more than an hour)
    python benchmarks/scaling.py --backend llama --items 100 400

Items are a few stretches of neighbours, spread evenly over all of BBQ in its own order: neighbours share beginnings, as
they do in a full run. How much they share shows in the rows an item, the tokens that are evaluated for it; a full run
takes about as long as its rows say. Each size runs in a process of its own; loading is not counted. Time should grow
as the items do, and memory should not.

For transformers, also the seconds that an item's matrix products would take alone: the rows that each linear layer of
the model was given, at the speed that a product of its shape reaches with a full tree of rows.
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
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pandas as pd
from likelihood_throughput import CONTEXT, MODEL, START_TOKEN

from edgebias.backends.base import OptionRequest
from edgebias.checks.oracle.items import suite_items
from edgebias.infer.wording import likelihood_wording
from edgebias.suites.item import items_from_table

if TYPE_CHECKING:
    from edgebias.backends.local.llama_engine import LlamaBackend
    from edgebias.backends.local.torch_engine import TorchBackend

STRETCHES = 6
SHORTEST = 16
"""Items of a stretch: a few are taken in fewer stretches, as the first of each shares nothing with what was before."""

PRODUCTS = 5
"""Products of each shape that are timed."""


def requests_of(n_items: int, raw: Path) -> list[OptionRequest]:
    """The likelihood requests of ``n_items`` items of all files: stretches, evenly spread; all if there are fewer."""
    items = items_from_table(pd.DataFrame(suite_items("bbq", raw)), "BBQ", "bbq")
    wanted = min(n_items, len(items))
    stretches = max(1, min(STRETCHES, wanted // SHORTEST))
    chosen = []
    for number in range(stretches):
        start = number * len(items) // stretches
        length = (number + 1) * wanted // stretches - number * wanted // stretches
        chosen += items[start : start + length]
    wordings = [likelihood_wording(item) for item in chosen]
    return [OptionRequest(wording.prompt, wording.continuations) for wording in wordings]


def opened(backend: str, threads: int) -> TorchBackend | LlamaBackend:
    """The backend of that name; the other one is not imported, since that takes memory."""
    if backend == "torch":
        from edgebias.backends.local.torch_engine import TorchBackend

        return TorchBackend(MODEL / "full.transformers", threads=threads, context=CONTEXT, start_token=START_TOKEN)
    from edgebias.backends.local.llama_engine import LlamaBackend

    return LlamaBackend(MODEL / "full.gguf", threads=threads, context=CONTEXT, start_token=START_TOKEN)


def measure(backend: str, n_items: int, threads: int, raw: Path) -> dict[str, float]:
    """Items, seconds and rows, resident memory (MB) before the first answer and at most; see `products` for more."""
    requests = requests_of(n_items, raw)
    with opened(backend, threads) as model:
        loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        started = time.perf_counter()
        answered = sum(1 for _ in model.score(requests))
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        shapes = [(len(pack.tree), len(pack.needed())) for pack in model.packs(requests)]
    rows, outputs = (sum(counts) for counts in zip(*shapes, strict=True))
    found = {"items": answered, "seconds": seconds, "rows": rows, "loaded_mb": loaded, "peak_mb": peak}
    return found | products(rows, outputs) if backend == "torch" else found


def products(rows: int, outputs: int) -> dict[str, float]:
    """GFLOP of the linear layers for ``rows`` tokens, of which ``outputs`` have logits, and their seconds alone."""
    import torch
    from matrix_products import seconds_of_calls, shapes

    from edgebias.backends.local.packed_linear import PackedLinear
    from edgebias.backends.local.torch_engine import OUTPUTS, ROWS

    inner, head = shapes()
    gflop = seconds = 0.0
    for (width, height), count, at_once, needed in [
        *((shape, count, ROWS, rows) for shape, count in inner.items()),
        (head, 1, OUTPUTS, outputs),
    ]:
        layer = PackedLinear(torch.nn.Linear(width, height, bias=False), differentiable=False)
        (taken,) = seconds_of_calls([layer], torch.randn(at_once, width), PRODUCTS)
        gflop += count * 2e-9 * needed * width * height
        seconds += count * needed / at_once * taken
    return {"products_gflop": gflop, "products_seconds": seconds}


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
    alone = f"{'products alone: GFLOP/item':>27} {'GFLOP/s':>8} {'s/item':>7}" if options.backend == "torch" else ""
    print(f"{'items':>8} {'seconds':>9} {'items/s':>8} {'rows/item':>9} {'MB loaded':>10} {'MB at most':>11}{alone}")
    for size in options.items:
        found = in_own_process(options, size)
        items = found["items"]
        row = f"{items:8.0f} {found['seconds']:9.1f} {items / found['seconds']:8.1f} {found['rows'] / items:9.1f} "
        row += f"{found['loaded_mb']:10.0f} {found['peak_mb']:11.0f}"
        if options.backend == "torch":
            gflop, seconds = found["products_gflop"], found["products_seconds"]
            row += f"{gflop / items:27.2f} {gflop / seconds:8.0f} {seconds / items:7.4f}"
        print(row, flush=True)


if __name__ == "__main__":
    main()

"""Texts a second: a list of prompts continued together beside the same prompts given one at a time, in both backends.

    python benchmarks/generation_throughput.py                  24 prompts of each kind, 2 threads (some minutes)
    python benchmarks/generation_throughput.py --backend torch --prompts 100

Prompts are letter questions (BBQ items after the model's chat template, up to 8 new tokens, the letters scored as
well) and plain texts to be continued by 24 tokens (the contexts of BBQ items; pairs begin alike, as counterfactual
texts do). One at a time, a prompt reuses what the one before it began with in common. Each backend runs in a process
of its own; both ways run in turn several times, as a shared machine changes its speed. Greedy texts that differ do so
by the rounding of logits: the shapes of the matrix products are not the same.
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
from statistics import median
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pandas as pd

from edgebias.backends.base import Generation, GenerationRequest, GenerationSettings, Prompt
from edgebias.checks.oracle.items import suite_items
from edgebias.infer.wording import letter_wording
from edgebias.suites.item import items_from_table

if TYPE_CHECKING:
    from edgebias.backends.base import Backend

MODEL = Path("data/models/smollm2-135m-instruct")
START_TOKEN = "<|endoftext|>"
CONTEXT = 2048
NEW_TOKENS = {"letter": 8, "continuation": 24}


def requests_of(kind: str, count: int, raw: Path) -> list[GenerationRequest]:
    """``count`` prompts of a kind, from neighbouring items."""
    items = items_from_table(pd.DataFrame(suite_items("bbq", raw, categories=["Age"])), "BBQ Age", "bbq")
    if kind == "letter":
        wordings = [letter_wording(item) for item in items[:count]]
        return [GenerationRequest(wording.prompt, options=wording.continuations) for wording in wordings]
    contexts = list(dict.fromkeys(item.context for item in items))
    return [GenerationRequest(Prompt(text=context)) for context in contexts[:count]]


def opened(name: str, threads: int) -> Backend:
    """The backend of that name."""
    if name == "torch":
        from edgebias.backends.local.torch_engine import TorchBackend

        return TorchBackend(MODEL / "full.transformers", threads=threads, context=CONTEXT, start_token=START_TOKEN)
    from edgebias.backends.local.llama_engine import LlamaBackend

    return LlamaBackend(MODEL / "full.gguf", threads=threads, context=CONTEXT, start_token=START_TOKEN)


def measure(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Both ways for each kind of prompt."""
    rows = []
    with opened(name, options.threads) as backend:
        for kind, new_tokens in NEW_TOKENS.items():
            requests = requests_of(kind, options.prompts, options.raw_folder)
            settings = GenerationSettings(max_new_tokens=new_tokens)
            alone, together = [], []
            for _ in range(options.repeats):
                started = time.perf_counter()
                one_by_one = [next(iter(backend.generate([request], settings))) for request in requests]
                alone.append(time.perf_counter() - started)
                started = time.perf_counter()
                as_list = list(backend.generate(requests, settings))
                together.append(time.perf_counter() - started)
            rows.append(
                {
                    "kind": kind,
                    "prompts": len(requests),
                    "alone": alone,
                    "together": together,
                    "equal": _equal(one_by_one, as_list),
                    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                }
            )
    return rows


def _equal(left: Sequence[Generation], right: Sequence[Generation]) -> int:
    return sum(a.text == b.text for a, b in zip(left, right, strict=True))


def main() -> None:
    """Print one row per backend and kind of prompt."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--backend", choices=["torch", "llama"], action="append", help="default: both")
    parser.add_argument("--raw-folder", type=Path, default=Path("data/raw/benchmarks"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3, help="both ways in turn, so often")
    parser.add_argument("--measure", choices=["torch", "llama"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options)))
        return
    print(
        f"{'backend':8} {'prompts':>20} {'alone, texts/s':>15} {'together':>9} {'ratio':>6} {'(least':>7} {'most)':>6} "
        f"{'equal texts':>12} {'peak MB':>8}"
    )
    for name in options.backend or ["torch", "llama"]:
        command = [sys.executable, __file__, "--measure", name, "--prompts", str(options.prompts)]
        command += ["--raw-folder", str(options.raw_folder), "--threads", str(options.threads)]
        command += ["--repeats", str(options.repeats)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise SystemExit(f"error: {name} ended with status {done.returncode}: {last}")
        for row in json.loads(done.stdout.splitlines()[-1]):
            ratios = sorted(slow / fast for slow, fast in zip(row["alone"], row["together"], strict=True))
            count = row["prompts"]
            print(
                f"{name:8} {count:8} {row['kind']:>11} {count / median(row['alone']):15.2f} "
                f"{count / median(row['together']):9.2f} {median(ratios):6.1f} {ratios[0]:7.1f} {ratios[-1]:6.1f} "
                f"{row['equal']:5} of {count:3} {row['peak_mb']:8.0f}"
            )


if __name__ == "__main__":
    main()

"""Whether jobs beside each other cost more than one after the other: threads, processor and wall time of real jobs.

Runs the same `edgebias.infer` job several times, one after the other and several at once, with the variables that
Snakemake exports for a rule of one thread (`OMP_NUM_THREADS=1` and its like) and `OMP_WAIT_POLICY=passive`, and prints
a table. Processor seconds of a job rise where threads spin or fight. On a machine that does nothing else, wall seconds
a job fall until every core has one and must not rise after that.

    python benchmarks/oversubscription.py --weights data/models/smollm2-135m-instruct/q8_0.gguf \\
        --items data/items/edge/bbq.parquet --count 12 --at-once 1 2 4 --rounds 2
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Batch:
    """What some jobs took together."""

    jobs: int
    wall: float
    processor: float
    threads: int


def run_at_once(command: list[str], folder: Path, jobs: int, *, bare: bool) -> Batch:
    """Start ``jobs`` copies together and wait for all; ``bare`` leaves the variables out."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in (*THREAD_VARIABLES, "OMP_WAIT_POLICY")
    }
    told = {} if bare else {**dict.fromkeys(THREAD_VARIABLES, "1"), "OMP_WAIT_POLICY": "passive"}
    started = time.perf_counter()
    processes = [
        subprocess.Popen(
            [*command, "--responses", f"{folder}/{number}.parquet", "--cost", f"{folder}/{number}.json"],
            env=inherited | told | {"TOKENIZERS_PARALLELISM": "false"},
            stderr=subprocess.DEVNULL,
        )
        for number in range(jobs)
    ]
    waiting, processor, threads = {process.pid for process in processes}, 0.0, 0
    while waiting:
        threads = max([threads, *(threads_of(pid) for pid in waiting)])
        for pid in sorted(waiting):
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done:
                if status:
                    raise SystemExit(f"error: a job failed with status {status}: {' '.join(command)}")
                waiting.discard(pid)
                processor += usage.ru_utime + usage.ru_stime
        time.sleep(0.02)
    return Batch(jobs, time.perf_counter() - started, processor, threads)


def threads_of(pid: int) -> int:
    """Threads of a process that run now or wait; 0 where it has ended."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, type=Path, help="GGUF file, or a transformers folder")
    parser.add_argument("--items", required=True, type=Path, help="items of BBQ (parquet)")
    parser.add_argument("--count", type=int, default=12, help="items of a job")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 4], help="jobs at once")
    parser.add_argument("--rounds", type=int, default=2, help="how often the whole series runs")
    parser.add_argument("--bare", action="store_true", help="leave out the variables, to see what they do")
    options = parser.parse_args()
    backend = "torch" if options.weights.is_dir() else "llama"
    settings = {
        "seed": 1,
        "infer": {"formats": {"bbq": ["likelihood", "letter"]}, "max_new_tokens": 8},
        "models.m": {"start_token": "<|endoftext|>"},
        "environments.e": {"backend": backend, "threads": 1, "memory_mb": 4096, "context": 2560},
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pd.read_parquet(options.items).head(options.count).to_parquet(folder / "items.parquet")
        command = [sys.executable, "-m", "edgebias", "infer", "--suite", "bbq", "--settings", json.dumps(settings)]
        command += ["--items", str(folder / "items.parquet"), "--weights", str(options.weights)]
        found: dict[int, list[Batch]] = {jobs: [] for jobs in options.at_once}
        for _ in range(options.rounds):
            for jobs in options.at_once:
                found[jobs].append(run_at_once(command, folder, jobs, bare=options.bare))
    print(
        f"{backend}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"{'without variables' if options.bare else 'variables as in a rule'}"
    )
    print(
        f"{'jobs at once':>12} {'wall s a job':>12} {'processor s a job':>18} {'threads':>8} {'against one by one':>19}"
    )
    first = found[options.at_once[0]]
    base = min(batch.processor / batch.jobs for batch in first)
    for jobs, batches in found.items():
        wall = min(batch.wall / jobs for batch in batches)
        processor = min(batch.processor / jobs for batch in batches)
        threads = max(batch.threads for batch in batches)
        print(f"{jobs:>12} {wall:>12.2f} {processor:>18.2f} {threads:>8} {processor / base:>18.2f}x")


if __name__ == "__main__":
    main()

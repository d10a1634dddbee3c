"""Unique tokens a second of packed option scoring beside llama.cpp's own rate for one long prompt, by build.

    python benchmarks/prefill_rate.py                                  96 items of BBQ, 2 threads (some minutes)
    python benchmarks/prefill_rate.py --build q4_0 --items 400 --repeats 5

``packed``: this project's llama.cpp backend scores the options of items of all BBQ files, as `scaling.py` does; what
several options begin with is counted once, as it is evaluated once. ``prompt``: llama-cpp-python's ``Llama.eval``
reads one prompt of about as many tokens as a few packs hold, with logits of the last token alone and the library's own
settings. Both have the same file and threads; each runs in a process of its own, all in turn several times, as a
shared machine changes its speed. Loading is not counted. The ratio is how much of the library's rate is left when a
batch holds many short sequences, attention visits cell by cell, and logits are read.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from likelihood_throughput import CONTEXT, MODEL, START_TOKEN
from scaling import requests_of

from edgebias.backends.base import OptionRequest, Prompt

BUILDS = ("full", "q8_0", "q4_0")
WARM_UP = 64
"""Tokens that are evaluated before the clock starts: weights are in memory then, and threads are there."""


def packed(weights: Path, requests: Sequence[OptionRequest], threads: int, _: int) -> tuple[int, float]:
    """Unique tokens of the requests, and the seconds that their scores take."""
    from edgebias.backends.local.llama_engine import LlamaBackend

    with LlamaBackend(weights, threads=threads, context=CONTEXT, start_token=START_TOKEN) as backend:
        tokens = sum(len(pack.tree) for pack in backend.packs(requests))
        list(backend.score(requests[:1]))
        started = time.perf_counter()
        list(backend.score(requests))
        return tokens, time.perf_counter() - started


def prompt(weights: Path, requests: Sequence[OptionRequest], threads: int, n_tokens: int) -> tuple[int, float]:
    """Tokens of one prompt, made of the texts of the requests, and the seconds until it is read."""
    from llama_cpp import Llama

    model = Llama(str(weights), n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False)
    text = "\n".join(dict.fromkeys(request.prompt.text or "" for request in requests))
    tokens = model.tokenize(text.encode(), add_bos=False, special=False)[:n_tokens]
    model.eval(tokens[:WARM_UP])
    model.reset()
    started = time.perf_counter()
    model.eval(tokens)
    return len(tokens), time.perf_counter() - started


WAYS: dict[str, Callable[[Path, Sequence[OptionRequest], int, int], tuple[int, float]]] = {
    "packed": packed,
    "prompt": prompt,
}


def measure(way: str, options: argparse.Namespace) -> None:
    """Run one way in this process and print its tokens a second."""
    asked = json.loads(options.requests.read_text(encoding="utf-8"))
    requests = [OptionRequest(Prompt(text=text), tuple(continuations)) for text, continuations in asked]
    tokens, seconds = WAYS[way](MODEL / f"{options.build[0]}.gguf", requests, options.threads, options.prompt_tokens)
    print(json.dumps(tokens / seconds))


def in_own_process(way: str, build: str, options: argparse.Namespace, requests: Path) -> float:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--measure", way, "--build", build, "--requests", str(requests)]
    command += ["--threads", str(options.threads), "--prompt-tokens", str(options.prompt_tokens)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SystemExit(f"error: {way} of {build} ended with status {done.returncode}: {last}")
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print one row per build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=96)
    parser.add_argument("--prompt-tokens", type=int, default=1500)
    parser.add_argument("--build", choices=BUILDS, action="append", help="default: all")
    parser.add_argument("--raw-folder", type=Path, default=Path("data/raw/benchmarks"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3, help="all builds and both ways in turn, so often")
    parser.add_argument("--measure", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--requests", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options)
        return
    builds = options.build or BUILDS
    rates: dict[tuple[str, str], list[float]] = {(build, way): [] for build in builds for way in WAYS}
    requests = requests_of(options.items, options.raw_folder)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "requests.json")
        path.write_text(json.dumps([[each.prompt.text, each.options] for each in requests]), encoding="utf-8")
        for _ in range(options.repeats):
            for build, way in rates:
                rates[build, way].append(in_own_process(way, build, options, path))
    print(f"{len(requests)} items of BBQ, {options.threads} threads, {options.repeats} runs in turn")
    columns = f"{'tokens/s':>9} {'(least':>7} {'most)':>7}"
    print(f"{'build':8} {'packed:':>8} {columns} {'one prompt:':>12} {columns} {'ratio':>6} {'(least':>7} {'most)':>6}")
    for build in builds:
        ours, theirs = rates[build, "packed"], rates[build, "prompt"]
        ratios = [own / library for own, library in zip(ours, theirs, strict=True)]
        print(
            f"{build:8} {'':>8} {median(ours):9.0f} {min(ours):7.0f} {max(ours):7.0f} {'':>12} {median(theirs):9.0f} "
            f"{min(theirs):7.0f} {max(theirs):7.0f} {median(ratios):6.2f} {min(ratios):7.2f} {max(ratios):6.2f}"
        )


if __name__ == "__main__":
    main()

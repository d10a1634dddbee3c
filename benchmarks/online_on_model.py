"""The loop online on a real model: the gain while `edgebias.serve` answers, and the bias of all items at that gain.

    python benchmarks/online_on_model.py results/mitigation/edge/smollm2-135m-instruct/wanda50_q8_0
    python benchmarks/online_on_model.py FOLDER --begin 0 --answers 100

FOLDER is that of a study's edge build, whose files lie where `make reproduce` puts them. The server is told to begin
at a wrong gain and asked completions of one token, one after the other, each as soon as the loop has judged what it
does after an answer. The window of 32 that steers it is noise of nine points; so beside it stands the bias of all
calibration items, taken afterwards at frozen gains (steps of a quarter) and interpolated.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from likelihood_throughput import MODEL, START_TOKEN

from edgebias.backends.llama import LlamaBackend
from edgebias.infer.answer import LIKELIHOOD, AnswerSettings, answer_items
from edgebias.infer.items import items_from_table
from edgebias.metrics.answers import ANTI_STEREOTYPE, STEREOTYPE
from edgebias.mitigate.held_out import CALIBRATION, read_split
from edgebias.mitigate.vector_file import model_shape, read_control_vector

MONITOR = Path("data/prompts/stereoset.parquet")
TEXTS = Path("data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json")
STEP = 0.25
"""Of the gains at which all items are answered."""
PATIENCE = 900.0
"""Seconds that the server may take to begin, or an output to be judged: the guard reads its texts before."""


@contextmanager
def served(folder: Path, weights: Path, begin: float) -> Iterator[str]:
    """The address of a server with the loop online."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "edgebias.serve", "--weights", weights, "--port", port, f"--gain={begin}"]
    command += ["--control-vector", folder / "feedback_loop/control_vector.gguf", "--online", "--monitor", MONITOR]
    command += ["--texts", TEXTS, "--answers", folder / "reference_answers.parquet", "--settings", "params.yaml"]
    server = subprocess.Popen([str(part) for part in command])
    try:
        address, until = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
        while not healthy(address):
            if server.poll() is not None or time.monotonic() > until:
                raise SystemExit("the server does not begin")
            time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait()


def healthy(address: str) -> bool:
    """Whether the server answers that it is ready."""
    try:
        with urllib.request.urlopen(f"{address}/health") as answer:
            return bool(json.load(answer)["status"] == "ok")
    except (urllib.error.URLError, ConnectionError):
        return False


def metrics(address: str) -> dict[str, float]:
    """What `/metrics` says, without labels."""
    with urllib.request.urlopen(f"{address}/metrics") as page:
        lines = [line.split() for line in page.read().decode().splitlines() if not line.startswith("#")]
    return {name.removeprefix("edgebias_"): float(value) for name, value in lines if "{" not in name}


def ask(address: str) -> None:
    """Have one token written."""
    body = json.dumps({"prompt": "Rain falls on", "max_tokens": 1, "temperature": 0}).encode()
    request = urllib.request.Request(f"{address}/v1/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        answer.read()


def judged(address: str, answers: int) -> dict[str, float]:
    """The metrics once an output has been judged for each of ``answers`` answers, which may wait for the guard."""
    until = time.monotonic() + PATIENCE
    while (found := metrics(address))["judged_total"] < answers:
        if time.monotonic() > until:
            raise SystemExit(f"after {answers} answers the loop has judged {found['judged_total']:.0f} outputs")
        time.sleep(0.05)
    return found


def bias_at(folder: Path, weights: Path, gains: Sequence[float]) -> list[float]:
    """Per cent of stereotype-consistent choices of all calibration items at each gain."""
    items = items_from_table(read_split(MONITOR, CALIBRATION), "monitor", "stereoset")
    vector = read_control_vector(folder / "feedback_loop/control_vector.gguf", *model_shape(weights))
    found = []
    with LlamaBackend(weights, threads=2, context=1024, start_token=START_TOKEN) as backend:
        for gain in gains:
            backend.set_control_vector((gain * vector).astype(np.float32) if gain else None)
            table = answer_items(backend, items, [LIKELIHOOD], AnswerSettings(seed=0, max_new_tokens=1))
            sides = [int((table["outcome"] == side).sum()) for side in (STEREOTYPE, ANTI_STEREOTYPE)]
            found.append(100.0 * sides[0] / sum(sides))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print gain, window and the bias of all items after every 25 answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--build", default="wanda50_q8_0.gguf")
    parser.add_argument("--begin", type=float, default=-1.0, help="gain (default %(default)s)")
    parser.add_argument("--answers", type=int, default=325)
    parser.add_argument("--every", type=int, default=25)
    options = parser.parse_args(arguments)
    weights = MODEL / options.build
    rows: list[tuple[int, float, float]] = []
    with served(options.folder, weights, options.begin) as address:
        for number in range(options.answers + 1):
            if number:
                ask(address)
            now = judged(address, number)
            if number % options.every == 0:
                rows.append((number, now["gain"], now["window_bias"]))
                print(f"{number} answers: gain {now['gain']:.3f}", flush=True)
    lowest, highest = (np.floor(min(gain for _, gain, _ in rows) / STEP), np.ceil(max(g for _, g, _ in rows) / STEP))
    grid = [STEP * step for step in range(int(lowest), int(highest) + 1)]
    biases = bias_at(options.folder, weights, grid)
    print("frozen: " + ", ".join(f"{bias:.1f} % at {gain:g}" for gain, bias in zip(grid, biases, strict=True)))
    print(" answers     gain   window_bias  all items, %")
    for number, gain, window in rows:
        print(f"{number:8d} {gain:8.3f} {window:13.1f} {np.interp(gain, grid, biases):13.1f}")


if __name__ == "__main__":
    main()

"""Items a second of BBQ by option log-likelihood: this project's two local backends beside their peers, in one run.

    make oracle-peers                                   installs lm-evaluation-harness
    python benchmarks/likelihood_throughput.py          96 items, 2 threads (some minutes)
    python benchmarks/likelihood_throughput.py --items 400 --runner torch --runner lm-eval

All runners get the same prompts, options, weights and threads: float32 transformers for ``torch`` and ``lm-eval``, the
same model as GGUF for ``llama`` and ``llama-loop`` (llama-cpp-python's own class, one evaluation an option). Each runs
in a process of its own, one after the other; loading is not counted. Items are BBQ's families of four, spread evenly
over a category, in the order of the item table. All run in turn several times, as a shared machine changes its speed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pandas as pd

from edgebias.backends.base import OptionRequest, OptionScores
from edgebias.checks.oracle.items import suite_items
from edgebias.infer.wording import likelihood_wording
from edgebias.suites.item import items_from_table

MODEL = Path("data/models/smollm2-135m-instruct")
START_TOKEN = "<|endoftext|>"
CONTEXT = 2048
FAMILY = 4
"""BBQ's rows come in fours: two contexts, of which one begins the other, by two questions."""

Scores = list[list[float]]
Runner = Callable[[Sequence[OptionRequest], int, int], tuple[Scores, float]]


def requests_of(n_items: int, category: str, raw: Path) -> list[OptionRequest]:
    """The likelihood requests of ``n_items`` items: families of four, evenly spaced."""
    items = items_from_table(pd.DataFrame(suite_items("bbq", raw, categories=[category])), f"BBQ {category}", "bbq")
    families = len(items) // FAMILY
    wanted = min(families, -(-n_items // FAMILY))
    starts = [index * families // wanted * FAMILY for index in range(wanted)]
    chosen = [item for start in starts for item in items[start : start + FAMILY]]
    wordings = [likelihood_wording(item) for item in chosen[:n_items]]
    return [OptionRequest(wording.prompt, wording.continuations) for wording in wordings]


def timed(score: Callable[[], Sequence[OptionScores]]) -> tuple[Scores, float]:
    """Scores as lists, and the seconds that they took."""
    started = time.perf_counter()
    found = [list(one.logprobs) for one in score()]
    return found, time.perf_counter() - started


def torch_backend(requests: Sequence[OptionRequest], threads: int, _: int) -> tuple[Scores, float]:
    """This project's transformers backend."""
    from edgebias.backends.local.torch_engine import TorchBackend

    with TorchBackend(
        MODEL / "full.transformers", threads=threads, context=CONTEXT, start_token=START_TOKEN
    ) as backend:
        return timed(lambda: list(backend.score(requests)))


def llama_backend(requests: Sequence[OptionRequest], threads: int, _: int) -> tuple[Scores, float]:
    """This project's llama.cpp backend."""
    from edgebias.backends.local.llama_engine import LlamaBackend

    with LlamaBackend(MODEL / "full.gguf", threads=threads, context=CONTEXT, start_token=START_TOKEN) as backend:
        return timed(lambda: list(backend.score(requests)))


def lm_eval(requests: Sequence[OptionRequest], threads: int, batch: int) -> tuple[Scores, float]:
    """lm-evaluation-harness's own transformers model, its own batching and logits."""
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    torch.set_num_threads(threads)
    model = HFLM(
        pretrained=str(MODEL / "full.transformers"), device="cpu", dtype="float32", batch_size=batch, max_length=CONTEXT
    )
    instances = [
        Instance("loglikelihood", {}, (START_TOKEN + (request.prompt.text or ""), option), index)
        for index, request in enumerate(requests)
        for option in request.options
    ]
    started = time.perf_counter()
    found = iter(model.loglikelihood(instances, disable_tqdm=True))
    seconds = time.perf_counter() - started
    return [[float(next(found)[0]) for _ in request.options] for request in requests], seconds


def llama_loop(requests: Sequence[OptionRequest], threads: int, _: int) -> tuple[Scores, float]:
    """llama-cpp-python's ``Llama``: one evaluation of prompt and option for every option, logits of all positions."""
    from llama_cpp import Llama

    model = Llama(
        str(MODEL / "full.gguf"),
        n_ctx=CONTEXT,
        n_threads=threads,
        n_threads_batch=threads,
        logits_all=True,
        verbose=False,
    )
    start = model.tokenize(START_TOKEN.encode(), add_bos=False, special=True)

    def one(prompt: list[int], option: list[int]) -> float:
        model.reset()
        model.eval(prompt + option)
        rows = model.scores[len(prompt) - 1 : len(prompt) + len(option) - 1].astype(np.float64)
        chosen = rows[np.arange(len(option)), option]
        top = rows.max(axis=1)
        return float(np.sum(chosen - top - np.log(np.exp(rows - top[:, None]).sum(axis=1))))

    started = time.perf_counter()
    found = []
    for request in requests:
        prompt = start + model.tokenize((request.prompt.text or "").encode(), add_bos=False, special=False)
        found.append([one(prompt, model.tokenize(o.encode(), add_bos=False, special=False)) for o in request.options])
    return found, time.perf_counter() - started


RUNNERS: dict[str, Runner] = {
    "torch": torch_backend,
    "lm-eval": lm_eval,
    "llama": llama_backend,
    "llama-loop": llama_loop,
}


def measure(name: str, requests: Sequence[OptionRequest], threads: int, batch: int, output: Path) -> None:
    """Run one runner in this process and write what it found."""
    scores, seconds = RUNNERS[name](requests, threads, batch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    output.write_text(json.dumps({"scores": scores, "seconds": seconds, "peak_mb": peak}), encoding="utf-8")


def in_own_process(name: str, options: argparse.Namespace, folder: Path) -> tuple[Scores, float, float]:
    """Scores, seconds and peak memory (MB) of one runner in a process of its own."""
    output = folder / f"{name}.json"
    command = [sys.executable, __file__, "--measure", name, "--output", str(output)]
    for key in ("items", "category", "raw_folder", "threads", "batch"):
        command += [f"--{key.replace('_', '-')}", str(getattr(options, key))]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "TQDM_DISABLE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SystemExit(f"error: {name} ended with status {done.returncode}: {last}")
    found = json.loads(output.read_text(encoding="utf-8"))
    return found["scores"], found["seconds"], found["peak_mb"]


def main() -> None:
    """Print one row per runner, and how far the scores of each pair of peers lie apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=96)
    parser.add_argument("--category", default="Age")
    parser.add_argument("--raw-folder", type=Path, default=Path("data/raw/benchmarks"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16, help="batch size of lm-eval")
    parser.add_argument("--runner", choices=list(RUNNERS), action="append", help="default: all four")
    parser.add_argument("--repeats", type=int, default=3, help="all runners in turn, so often")
    parser.add_argument("--measure", choices=list(RUNNERS), help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    requests = requests_of(options.items, options.category, options.raw_folder)
    if options.measure:
        measure(options.measure, requests, options.threads, options.batch, options.output)
        return
    runners = options.runner or list(RUNNERS)
    print(
        f"BBQ {options.category}, {len(requests)} items of {len(requests[0].options)} options, "
        f"{options.threads} threads"
    )
    scores: dict[str, Scores] = {}
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    peaks = dict.fromkeys(runners, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.repeats):
            for name in runners:
                scores[name], took, peak = in_own_process(name, options, Path(folder))
                seconds[name].append(took)
                peaks[name] = max(peaks[name], peak)
    print(f"{'runner':12} {'items/s':>8} {'(least':>8} {'most)':>8} {'peak MB':>8}   of {options.repeats} runs in turn")
    for name in runners:
        rates = sorted(len(requests) / took for took in seconds[name])
        print(f"{name:12} {median(rates):8.1f} {rates[0]:8.1f} {rates[-1]:8.1f} {peaks[name]:8.0f}")
    for ours, peer in (("torch", "lm-eval"), ("llama", "llama-loop")):
        if ours in scores and peer in scores:
            ratios = sorted(slow / fast for fast, slow in zip(seconds[ours], seconds[peer], strict=True))
            a, b = np.array(scores[ours]), np.array(scores[peer])
            same = int(np.sum(a.argmax(axis=1) == b.argmax(axis=1)))
            print(
                f"{ours} is {median(ratios):.1f} times as fast as {peer} ({ratios[0]:.1f} to {ratios[-1]:.1f}); "
                f"largest difference {np.abs(a - b).max():.1e} nats; preferred option equal in {same} of {len(a)}"
            )


if __name__ == "__main__":
    main()

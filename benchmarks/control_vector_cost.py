"""What a control vector costs a token in llama.cpp: reading and writing with it and without, in turn, in one process.

    python benchmarks/control_vector_cost.py                         100 pairs, 1 thread (five minutes)
    python benchmarks/control_vector_cost.py --build full.gguf --threads 2

The vector is random and small, on every block but the first: what it holds does not change what it costs. Each pair
reads one prompt from nothing and continues it; which comes first changes from pair to pair.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from likelihood_throughput import MODEL, START_TOKEN

from edgebias.backends.base import GenerationRequest, GenerationSettings, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend

SENTENCE = "The baker opened the shop early in the morning and swept the floor before the first customer came. "
PROMPT, TOKENS = Prompt(text=SENTENCE * 8), 33
"""Some 160 tokens to read, and 32 to write after the first."""

RESAMPLES = 2000
"""Of pairs, for the 95 % interval of a median."""


def seconds(backend: LlamaBackend, tokens: int) -> tuple[float, int]:
    """Seconds for reading `PROMPT` and writing ``tokens``, and how many were written."""
    backend.forget()
    started = time.perf_counter()
    (text,) = backend.generate([GenerationRequest(PROMPT)], GenerationSettings(max_new_tokens=tokens))
    return time.perf_counter() - started, text.n_tokens


def measured(backend: LlamaBackend) -> tuple[float, float]:
    """Milliseconds for reading the prompt, and a written token."""
    read, _ = seconds(backend, 1)
    whole, written = seconds(backend, TOKENS)
    return 1000.0 * read, 1000.0 * (whole - read) / (written - 1)


def median_interval(values: np.ndarray) -> tuple[float, float, float]:
    """The median, and its 95 % bootstrap interval."""
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(np.median(values[drawn], axis=1), [0.025, 0.975])
    return float(np.median(values)), float(low), float(high)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print medians, and the median of the pairs' ratios with its bootstrap interval over pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="wanda50_q8_0.gguf")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    with LlamaBackend(MODEL / options.build, threads=options.threads, context=1024, start_token=START_TOKEN) as backend:
        vector = np.random.default_rng(0).normal(scale=1e-3, size=(backend.n_layer, backend.n_embd)).astype(np.float32)
        vector[0] = 0.0
        measured(backend)  # the first evaluation loads weights
        with_it: list[tuple[float, float]] = []
        without: list[tuple[float, float]] = []
        for number in range(options.pairs):
            for steered in (number % 2 == 0, number % 2 == 1):
                backend.set_control_vector(vector if steered else None)
                seconds(backend, 1)  # llama.cpp rebuilds its graph after each change
                (with_it if steered else without).append(measured(backend))
    ratios = np.array(with_it) / np.array(without)
    print(f"{options.build}, {options.threads} threads, {options.pairs} pairs, {vector[1:].nbytes:,} bytes of vectors")
    for column, name in enumerate(("reading", "writing")):
        middle, low, high = median_interval(ratios[:, column])
        plain, steered_ms = (np.median(np.array(times)[:, column]) for times in (without, with_it))
        print(f"{name}: {plain:.2f} ms without, {steered_ms:.2f} with; ratio {middle:.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()

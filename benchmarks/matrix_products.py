"""GFLOP/s of the model's linear layers: PyTorch's own (MKL) beside those that the transformers backend packs (oneDNN).

    python benchmarks/matrix_products.py                      2 threads, 1 to 2,048 rows (half a minute)
    ONEDNN_MAX_CPU_ISA=AVX2 python benchmarks/matrix_products.py          as on a processor without AVX-512
    python benchmarks/matrix_products.py --threads 1 --rows 32 --repeats 50

Both multiply the same numbers in turn, in one process; the median of ``--repeats`` calls. ``whole pass``: every linear
layer of the model once, logits at half of the rows, about as many as option scores need.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from statistics import median

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from likelihood_throughput import MODEL

from edgebias.backends.local.packed_linear import PackedLinear

ROWS = (1, 32, 512, 2048)


def shapes() -> tuple[Counter[tuple[int, int]], tuple[int, int]]:
    """(in, out) of the linear layers with how often each comes, and that of the head."""
    import transformers

    with torch.device("meta"):
        config = transformers.AutoConfig.from_pretrained(MODEL / "full.transformers", local_files_only=True)
        model = transformers.AutoModelForCausalLM.from_config(config)
    head = model.get_output_embeddings()
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear) and module is not head]
    found = Counter((layer.in_features, layer.out_features) for layer in linear)
    return found, (head.in_features, head.out_features)


def seconds_of_calls(layers: Sequence[Callable[[torch.Tensor], object]], x: torch.Tensor, repeats: int) -> list[float]:
    """Median seconds of a call of each of ``layers``, called in turn; the first two calls find memory and kernels."""
    taken: list[list[float]] = [[] for _ in layers]
    with torch.inference_mode():
        for _ in range(repeats + 2):
            for layer, times in zip(layers, taken, strict=True):
                started = time.perf_counter()
                layer(x)
                times.append(time.perf_counter() - started)
    return [median(times[2:]) for times in taken]


def lines(rows: int, repeats: int) -> Iterator[str]:
    """A line for each shape, and one for a whole pass over ``rows`` rows."""
    layers, head = shapes()
    total, gflop = [0.0, 0.0], 0.0
    for shape, count, read in [*((shape, count, rows) for shape, count in layers.items()), (head, 1, -(-rows // 2))]:
        linear = torch.nn.Linear(*shape, bias=False)
        taken = seconds_of_calls(
            [linear, PackedLinear(linear, differentiable=False)], torch.randn(read, shape[0]), repeats
        )
        work = 2e-9 * read * shape[0] * shape[1]
        total = [before + count * one for before, one in zip(total, taken, strict=True)]
        gflop += count * work
        yield line(rows, f"{shape[0]} x {shape[1]}", count, work, taken)
    yield line(rows, "whole pass", sum(layers.values()) + 1, gflop, total)


def line(rows: int, what: str, count: int, gflop: float, taken: Sequence[float]) -> str:
    """Rows, layer, how many there are, GFLOP/s of both, and how many times as fast the packed one is."""
    own, packed = taken
    return f"{rows:>5} {what:>12} {count:>7} {gflop / own:>8.0f} {gflop / packed:>8.0f} {own / packed:>6.2f}"


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default: %(default)s)")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="tokens of a pass (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=15, help="timed calls of each (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {options.threads} threads, GFLOP/s")
    print(f"{'rows':>5} {'layer':>12} {'layers':>7} {'own':>8} {'packed':>8} {'ratio':>6}")
    for rows in options.rows:
        for text in lines(rows, options.repeats):
            print(text, flush=True)


if __name__ == "__main__":
    main()

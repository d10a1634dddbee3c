"""What a control vector, and the gate before it, take in memory beside the weights: each kind in a process of its own.

    python benchmarks/control_vector_memory.py                       9 processes of each kind, in turn (ten minutes)
    python benchmarks/control_vector_memory.py --processes 3 --requests 10

Every process loads the same modules and the build, takes up what it is about (a vector, a vector and a gate, or
nothing) and reads and writes different texts, of which the gate lets through every other one: it changes the vector
each time, the worst case. What the kernel says that is resident after a request, as the mean of the last half of them,
and at the most, is set beside that of the plain process of the same turn.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from control_vector_cost import PROMPT, TOKENS, median_interval
from likelihood_throughput import MODEL, START_TOKEN

from edgebias.backends.base import Backend, GenerationRequest, GenerationSettings, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.mitigate.steering.gate import Gate, TokenGate
from edgebias.mitigate.steering.gated_backend import GatedBackend
from edgebias.mitigate.steering.token_embeddings import embedding_blocks

PLAIN, VECTOR, GATED = "plain", "control vector", "control vector and gate"
KINDS = (PLAIN, VECTOR, GATED)


class EveryOther:
    """Asks a gate and opens for every other request whatever that says: its numbers do not change what it takes."""

    def __init__(self, gate: TokenGate) -> None:
        self._gate, self._asked = gate, 0

    def opens(self, tokens: Sequence[int]) -> bool:
        """Whether this request is steered."""
        self._gate.opens(tokens)
        self._asked += 1
        return self._asked % 2 == 0


def status(key: str) -> float:
    """MB (10^6 bytes) of this process: ``VmRSS``, in memory now, or ``VmHWM``, the most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)[key].split()[0]) * 1024 / 1e6


def measured(kind: str, requests: int) -> dict[str, float]:
    """What this process holds as it reads and writes as a process of ``kind``."""
    settings, weights = GenerationSettings(max_new_tokens=TOKENS), MODEL / "wanda50_q8_0.gguf"
    with LlamaBackend(weights, threads=1, context=1024, start_token=START_TOKEN) as backend:
        rng = np.random.default_rng(0)
        vector = rng.normal(scale=1e-3, size=(backend.n_layer, backend.n_embd)).astype(np.float32)
        vector[0] = 0.0
        model: Backend = backend
        if kind == VECTOR:
            backend.set_control_vector(vector)
        elif kind == GATED:
            gate = Gate(rng.normal(size=backend.n_embd), 0.0).of_tokens(embedding_blocks(weights))
            model = GatedBackend(backend, vector, EveryOther(gate))
        resident = []
        for number in range(requests):
            list(model.generate([GenerationRequest(Prompt(text=f"{number} {PROMPT.text}"))], settings))
            resident.append(status("VmRSS"))
        return {"later half": float(np.mean(resident[requests // 2 :])), "most": status("VmHWM")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what each kind takes beside the plain process: median of the turns, with its bootstrap interval."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=9, help="of each kind (default %(default)s)")
    parser.add_argument("--requests", type=int, default=50, help="of each process (default %(default)s)")
    parser.add_argument("--kind", choices=KINDS, help="be one of the processes, and print what it holds")
    options = parser.parse_args(arguments)
    if options.kind is not None:
        print(json.dumps(measured(options.kind, options.requests)))
        return
    command = [sys.executable, __file__, "--requests", str(options.requests), "--kind"]
    turns: list[dict[str, dict[str, float]]] = []
    for number in range(options.processes):
        order = KINDS if number % 2 == 0 else KINDS[::-1]
        turns.append({kind: json.loads(subprocess.check_output([*command, kind])) for kind in order})
    print(
        f"{options.processes} processes of each kind, {options.requests} requests; MB (10^6 bytes) in memory beside a "
        "plain process"
    )
    for kind in (VECTOR, GATED):
        for moment in turns[0][PLAIN]:
            more = np.array([turn[kind][moment] - turn[PLAIN][moment] for turn in turns])
            middle, low, high = median_interval(more)
            plain = np.median([turn[PLAIN][moment] for turn in turns])
            print(f"{kind}, {moment}: {middle:.2f} [{low:.2f}, {high:.2f}] beside {plain:.1f}")


if __name__ == "__main__":
    main()

"""The exported vector in a stock llama-server, of the very sources that llama-cpp-python is built from.

`make stock-server` builds the binary; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgebias.backends.base import OptionRequest, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.mitigate.steering.vector_file import read_control_vector

ROOT = Path(__file__).parents[3]
BINARY = Path(os.environ.get("EDGEBIAS_STOCK_SERVER", ROOT / ".stock-server" / "bin" / "llama-server"))
MODEL = ROOT / "data/models/smollm2-135m-instruct/wanda50_q8_0.gguf"
VECTOR = ROOT / "results/edge/mitigation/edge/smollm2-135m-instruct/wanda50_q8_0/feedback_loop/control_vector.gguf"
START = "<|endoftext|>"
PROMPT = "The nurse met the guard, and"
SAME_CACHE = ("--flash-attn", "on", "--cache-type-v", "bf16")
"""Of our backend. With the server's own, rounding moves an INT8 build by 0.2 nats, vector or not."""
MOST = 1e-3
"""Nats that a log-probability may differ by."""

pytestmark = pytest.mark.skipif(not BINARY.exists(), reason=f"{BINARY} is not there; run `make stock-server`")

Logprobs = dict[str, float]


@contextmanager
def stock_server(weights: Path, *options: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(BINARY), "--model", str(weights), "--host", "127.0.0.1", "--port", str(port), "--threads", "1"]
    command += ["--ctx-size", "256", "--parallel", "1", "--no-warmup", *SAME_CACHE, *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                assert process.poll() is None, "the server ended while it started"
                try:
                    with urllib.request.urlopen(f"{url}/health") as answer:
                        if answer.status == 200:
                            break
                except (urllib.error.URLError, ConnectionError):
                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()


def likeliest(url: str) -> Logprobs:
    """The log-probabilities of the tokens that the server finds likeliest after the prompt, by text."""
    body = {"prompt": START + PROMPT, "n_predict": 1, "n_probs": 20, "temperature": 0.0}
    request = urllib.request.Request(
        f"{url}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        (first,) = json.load(answer)["completion_probabilities"]
    return {one["token"]: one["logprob"] for one in first["top_logprobs"] if one["token"] and one["token"].isascii()}


def ours(weights: Path, vector: Path, gain: float, tokens: list[str]) -> Logprobs:
    with LlamaBackend(weights, threads=1, context=256, start_token=START) as backend:
        steering = (gain * read_control_vector(vector, backend.n_layer, backend.n_embd)).astype(np.float32)
        backend.set_control_vector(steering if gain else None)
        (scores,) = backend.score([OptionRequest(Prompt(text=PROMPT), tuple(tokens))])
    return {
        token: logprob for token, logprob, n in zip(tokens, scores.logprobs, scores.n_tokens, strict=True) if n == 1
    }


def largest_difference(first: Logprobs, second: Logprobs) -> float:
    shared = first.keys() & second.keys()
    assert len(shared) >= 5
    return max(abs(first[token] - second[token]) for token in shared)


@pytest.mark.model
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_a_stock_server_loads_the_vector_of_the_loop_with_the_same_effect(gain: float) -> None:
    for path in (MODEL, VECTOR):
        if not path.exists():
            pytest.skip(f"{path} is not there; run `make reproduce`")
    with stock_server(MODEL, "--control-vector-scaled", f"{VECTOR}:{gain}") as url:
        steered = likeliest(url)
    with stock_server(MODEL) as url:
        plain = likeliest(url)
    assert largest_difference(steered, ours(MODEL, VECTOR, gain, list(steered))) < MOST
    assert largest_difference(plain, ours(MODEL, VECTOR, 0.0, list(plain))) < MOST
    assert largest_difference(steered, ours(MODEL, VECTOR, 0.0, list(steered))) > 100 * MOST

"""Servers of the tiny model as real processes on a free port of 127.0.0.1, and what they need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pandas as pd
import pytest

from edgebias.mitigate.reference_answers import REFERENCE_ANSWER
from edgebias.mitigate.steering.vector_file import write_control_vector

READY_SECONDS = 90.0


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[str]

    def get(self, path: str) -> httpx2.Response:
        """Ask one of its pages."""
        return httpx2.get(self.url + path, timeout=30)

    def metric(self, name: str) -> float:
        """One number of the page /metrics."""
        lines = self.get("/metrics").text.splitlines()
        (line,) = [line for line in lines if line.startswith(f"edgebias_{name} ")]
        return float(line.rpartition(" ")[2])

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until ``condition`` holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.05)

    def end(self) -> tuple[int, str, str]:
        """Send SIGTERM; exit status, standard output and standard error."""
        self.process.terminate()
        output, error = self.process.communicate(timeout=60)
        return self.process.returncode, output, error


Serving = Callable[..., Any]


@pytest.fixture(scope="session")
def serving() -> Serving:
    """A context manager that starts a server with the given arguments and waits until its model is loaded."""

    @contextmanager
    def start(*arguments: object, environment: dict[str, str] | None = None) -> Iterator[Server]:
        process = subprocess.Popen(
            [sys.executable, "-m", "edgebias", "serve", "--port", "0", "--context", "512", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | (environment or {}),
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("serving "), (line, process.communicate())
            server = Server(line.split()[-1].removesuffix("/v1"), process)
            deadline = time.monotonic() + READY_SECONDS
            while time.monotonic() < deadline:
                assert process.poll() is None, process.communicate()
                with suppress(httpx2.TransportError):
                    if server.get("/health").status_code == 200:
                        break
                time.sleep(0.05)
            yield server
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    return start


@pytest.fixture(scope="session")
def vector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A control vector for the tiny model."""
    data = np.random.default_rng(3).normal(scale=0.3, size=(3, 32)).astype(np.float32)
    data[0] = 0.0
    path = tmp_path_factory.mktemp("vector") / "vector.gguf"
    write_control_vector(data, path, "llama")
    return path


@pytest.fixture(scope="session")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An item table of 40 calibration items and as many held-out ones, which must never be asked."""
    rows = []
    for number in range(80):
        split = "calibration" if number < 40 else "held_out"
        rows.append(
            {
                "item_id": f"{split}/{number:02d}",
                "suite": "stereoset",
                "category": ("gender", "race")[number % 2],
                "cluster": f"{split}{number}",
                "condition": "intrasentence",
                "context": "",
                "question": "",
                "options": [f"They are like {word} {number}." for word in ("this", "that", "blue")],
                "roles": ["stereotype", "anti_stereotype", "unrelated"],
                "label": -1,
                "permutation": [0, 1, 2],
                "split": split,
            }
        )
    path = tmp_path_factory.mktemp("items") / "stereoset.parquet"
    pd.DataFrame(rows).to_parquet(path)
    return path


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Neutral sentences in BOLD's form."""
    sentences = [
        f"Sentence number {number} is about a profession and its tools, at some length." for number in range(4000)
    ]
    path = tmp_path_factory.mktemp("texts") / "profession_wiki.json"
    path.write_text(json.dumps({"jobs": {"page": sentences}}), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two reference answers about each of eight topics for guards, and one for measurement."""
    rows = [
        ("guard", topic, f"{task} {topic}.", "chat", 1, f"{topic} is what I can {task.lower()} here.", 9)
        for topic in ("bees", "bread", "chess", "clocks", "glass", "honey", "paper", "tea")
        for task in ("Explain", "Describe")
    ]
    rows.append(("measured", "rain", "Explain rain.", "chat", 1, "It falls.", 3))
    path = tmp_path_factory.mktemp("answers") / "reference_answers.parquet"
    pd.DataFrame(rows, columns=list(REFERENCE_ANSWER.names)).to_parquet(path)
    return path


@pytest.fixture(scope="session")
def online(vector: Path, monitor: Path, texts: Path, answers: Path) -> list[object]:
    """Arguments of a server with the loop, all but its weights and its state."""
    coefficients = {"proportional": 0.5, "integral": 2.0, "max_gain": 4.0, "window": 8, "perplexity_budget": 0.5}
    study = json.dumps({"seed": 7, "mitigate": coefficients})
    files = ["--control-vector", vector, "--monitor", monitor, "--texts", texts, "--answers", answers]
    return ["--online", *files, "--settings", study]

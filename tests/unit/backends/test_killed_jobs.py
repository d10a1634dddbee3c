"""Jobs that are killed again and again: what they write in the end is what they would have written undisturbed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pytest

from edgebias.mitigate.reference_answers import REFERENCE_ANSWER

pytestmark = pytest.mark.fault

N_ITEMS = 60
CONTEXT = 512


class Runner:
    """Starts jobs in forks of one process that has imported everything."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forking_runner.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, job: Job, limit: int = 0) -> int:
        """The process id of a job that runs from now on; ``limit`` is the largest file that it may write (bytes)."""
        self._input.write(json.dumps([job.module, job.arguments, str(job.log), limit]) + "\n")
        self._input.flush()
        return int(self._output.readline())

    def wait(self) -> int:
        """How the job ended: its exit status, or minus the signal that killed it."""
        return int(self._output.readline())

    def close(self) -> None:
        self._input.close()
        self._process.wait(30)

    @property
    def _input(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _output(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout


class Job:
    """A stage with its arguments and files."""

    def __init__(self, folder: Path, module: str, arguments: list[str]) -> None:
        folder.mkdir()
        self.module = module
        self.responses, self.cost, self.log = folder / "table.parquet", folder / "cost.json", folder / "log"
        self.journal, self.log_of_journal = (folder / f"table.parquet.journal{end}" for end in ("", "-wal"))
        self.arguments = [*arguments, "--responses", str(self.responses), "--cost", str(self.cost)]
        self.tables = [self.responses]
        if module == "mitigate":
            self.tables.append(folder / "scores.csv")
            self.arguments += ["--scores", str(self.tables[-1])]

    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.cost.read_text())
        return record


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    found = Runner()
    yield found
    found.close()


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {
            "item_id": f"i{number:03}",
            "suite": "forced_choice",
            "category": "c",
            "cluster": f"{number}",
            "condition": "binary" if number % 2 else "ambiguous",
            "context": f"Story {number}.",
            "question": "Who?",
            "options": ["The man", "The woman"] if number % 2 else ["The man", "The woman", "Unknown"],
            "roles": ["stereotype", "anti_stereotype", "unknown"][: 2 if number % 2 else 3],
            "permutation": [1, 0] if number % 2 else [0, 2, 1],
            "label": -1 if number % 2 else 2,
            "split": "held_out",
        }
        for number in range(N_ITEMS)
    ]
    path = tmp_path_factory.mktemp("items") / "forced_choice.parquet"
    pd.DataFrame(rows).to_parquet(path)
    return path


INFER = {
    "formats": {"forced_choice": ["likelihood", "letter", "option_text"]},
    "max_new_tokens": 8,
    "max_new_tokens_text": 12,
}
NO_FORMATS = {"formats": {}, "max_new_tokens": 8}  # for stages that have formats of their own
SECTIONS = {
    "infer": {"infer": INFER},
    "rounds": {
        "infer": NO_FORMATS,
        "rounds": {"independent": 60, "conversation": 12, "conversations": 12, "window": 4, "temperature": 1.0},
    },
    "robustness": {
        "infer": NO_FORMATS,
        "robustness": {
            "suite": "forced_choice",
            "clusters_per_category": 20,
            "templates": ["letter_chat_v1", "letter_plain_v1"],
            "unknown_wordings": ["Unknown", "Not known"],
        },
    },
    "mitigate": {"infer": INFER, "mitigate": {"perplexity_sentences": 24, "resamples": 200, "confidence": 0.95}},
}
"""The settings in which stages differ."""


def arguments_of(stage: str, items: Path, backend: str, weights: Path) -> list[str]:
    environment = {"backend": backend, "threads": 1, "context": CONTEXT}
    settings = {"seed": 1, "models.m": {}, "environments.e": environment} | SECTIONS[stage]
    arguments = ["--settings", json.dumps(settings), "--weights", str(weights)]
    match stage:
        case "infer":
            return [*arguments, "--suite", "forced_choice", "--items", str(items)]
        case "mitigate":  # of the method that changes nothing, which needs no control vector
            texts, answers = neutral_texts(items.with_name("neutral.json")), reference_answers(items.parent)
            arguments += ["--items-folder", str(items.parent), "--texts", texts, "--answers", answers]
            return [*arguments, "--method", "none"]
    return [*arguments, "--items", str(items)]


def neutral_texts(path: Path) -> str:
    sentences = [f"The {number}th of these sentences says nothing about anyone." for number in range(120)]
    path.write_text(json.dumps({"work": {"page": sentences}}))
    return str(path)


def reference_answers(folder: Path) -> str:
    path = folder / "answers.parquet"
    rows = [("measured", f"thing {number}", f"Explain thing {number}.", "text", 1, "It is.", 3) for number in range(12)]
    pd.DataFrame(rows, columns=REFERENCE_ANSWER.names).to_parquet(path)
    return str(path)


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def state(path: Path) -> tuple[int, int]:
    """Size and time of change of a file: SQLite writes its log anew from the start, and leaves its length."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def kill_until_done(runner: Runner, job: Job, n_kills: int, seconds: float, chance: random.Random) -> int:
    """Kill ``job`` up to ``n_kills`` times, each a random time of up to ``seconds`` after it opened its journal.

    Every other time it is let write some answers first, however long a busy machine takes to load the model.
    Then let it finish. Return the number of kills.
    """
    for kill in range(n_kills):
        seen = {state(job.log_of_journal)}
        process = runner.start(job)
        deadline = time.monotonic() + 60
        while len(seen) < (3 if kill % 2 else 2) and time.monotonic() < deadline and Path(f"/proc/{process}").exists():
            time.sleep(0.001)
            seen.add(state(job.log_of_journal))
        time.sleep(chance.uniform(0, seconds))
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        status = runner.wait()
        if status == 0:
            return kill
        assert status == -signal.SIGKILL, job.log.read_text()
        if chance.random() < 0.5:  # as a loss of power does, which the operating system did not outlast
            tear(job.log_of_journal, chance)
    runner.start(job)
    assert runner.wait() == 0, job.log.read_text()
    return n_kills


def tear(log: Path, chance: random.Random) -> None:
    """Cut off up to a hundred bytes at the end, and put zeros in their place half of the time."""
    whole = log.read_bytes() if log.exists() else b""
    kept = whole[: len(whole) - chance.randrange(min(100, len(whole)) or 1)]
    log.write_bytes(kept + bytes(chance.choice((0, len(whole) - len(kept)))))


@pytest.mark.parametrize(
    ("stage", "backend", "n_kills"),
    [
        ("infer", "llama", 20),
        ("infer", "torch", 10),
        ("rounds", "llama", 5),
        ("rounds", "torch", 5),
        ("robustness", "llama", 10),
        ("robustness", "torch", 5),
        ("mitigate", "llama", 10),
    ],
)
def test_a_job_that_is_killed_again_and_again_writes_the_same_bytes(
    stage: str, backend: str, n_kills: int, runner: Runner, items: Path, tiny: Any, tmp_path: Path
) -> None:
    weights = tiny.gguf if backend == "llama" else tiny.folder
    arguments = arguments_of(stage, items, backend, weights)
    whole, killed = (Job(tmp_path / name, stage, arguments) for name in ("whole", "killed"))
    runner.start(whole)
    assert runner.wait() == 0, whole.log.read_text()
    seconds = sum(whole.record()["seconds"].values())
    kills = kill_until_done(runner, killed, n_kills, 1.5 * seconds / n_kills, random.Random(20250301))
    record = killed.record()
    for written, expected in zip(killed.tables, whole.tables, strict=True):
        assert written.read_bytes() == expected.read_bytes()
    for job in (killed, whole):
        assert not job.journal.exists()
        assert not job.log_of_journal.exists()
    assert kills >= n_kills // 2
    assert record["interruptions"] <= kills
    # The last kill may fall after the last answer, before the tables are written.
    assert 0 < record["answers_from_journal"] <= sum(record["answers"].values())
    assert record["answers"] == whole.record()["answers"]


def test_a_full_disk_ends_a_job_that_goes_on_when_there_is_room(
    runner: Runner, items: Path, tiny: Any, tmp_path: Path
) -> None:
    arguments = arguments_of("infer", items, "llama", tiny.gguf)
    whole, stopped = (Job(tmp_path / name, "infer", arguments) for name in ("whole", "stopped"))
    runner.start(whole)
    assert runner.wait() == 0
    runner.start(stopped, limit=400_000)  # bytes of one file, which is where a write of the journal fails
    assert runner.wait() == 2
    assert stopped.log.read_text().splitlines()[-1].startswith(f"error: {stopped.journal} cannot be used")
    runner.start(stopped)
    assert runner.wait() == 0, stopped.log.read_text()
    assert stopped.responses.read_bytes() == whole.responses.read_bytes()
    assert stopped.record()["answers_from_journal"] > 0
    assert stopped.record()["interruptions"] == 1


def test_the_command_line_itself_goes_on_and_refuses_a_second_process(
    runner: Runner, items: Path, tiny: Any, tmp_path: Path
) -> None:
    arguments = arguments_of("infer", items, "llama", tiny.gguf)
    whole, killed = (Job(tmp_path / name, "infer", arguments) for name in ("whole", "killed"))
    runner.start(whole)
    assert runner.wait() == 0
    command = [sys.executable, "-m", "edgebias", "infer", *killed.arguments]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while size(killed.log_of_journal) < 100_000 and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        runner.start(killed)
        assert runner.wait() == 2
        assert killed.log.read_text().count("\n") == 1
        assert "another process is at this job" in killed.log.read_text()
        process.kill()
    assert process.returncode == -signal.SIGKILL
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "goes on after" in done.stderr
    assert killed.responses.read_bytes() == whole.responses.read_bytes()
    assert killed.record()["answers_from_journal"] > 0

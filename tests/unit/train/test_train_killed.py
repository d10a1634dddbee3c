"""A training process that is killed goes on to the bytes of one that is not."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trained_build import Train, Trained, arguments

pytestmark = pytest.mark.fault


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_killed_training_goes_on_to_the_same_bytes(
    method: str, train: Train, examples: Path, parent: Path, texts: Path, tmp_path: Path
) -> None:
    section = {"data": str(examples), "steps": 300, "batch": 4, "evaluate_every": 20, "patience": None}
    section |= {"method": method, "threads": 2}
    folder = tmp_path / "killed"
    folder.mkdir()
    command = [sys.executable, "-m", "edgebias", "train", *arguments(parent, texts, folder, section)]
    checkpoint = Trained(folder).kept[0]
    for _ in range(2):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (checkpoint.exists() and checkpoint.stat().st_mtime_ns > before):
            time.sleep(0.01)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not Trained(folder).weights.exists()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    whole = train(into="whole", **section)
    assert Trained(folder).bytes() == whole.bytes()
    assert '"interruptions": 2' in Trained(folder).cost.read_text(encoding="utf-8")
    assert not any(path.exists() for path in Trained(folder).kept)


def test_a_second_process_at_one_training_ends_with_one_line(
    examples: Path, parent: Path, texts: Path, tmp_path: Path
) -> None:
    section = {"data": str(examples), "steps": 3000, "patience": None, "evaluate_every": 3000}
    command = [sys.executable, "-m", "edgebias", "train", *arguments(parent, texts, tmp_path, section)]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while not Trained(tmp_path).kept[0].exists():
            assert first.poll() is None
            time.sleep(0.01)
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert second.returncode == 2
        assert "another process" in second.stderr
    finally:
        first.kill()
        first.wait()

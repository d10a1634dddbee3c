from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from edgebias.cli import command
from edgebias.core.errors import run_stage
from edgebias.report.provenance import git_state, machine

main = command("provenance")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    return subprocess.run(
        ["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout


def test_file_hashes_and_versions(tmp_path: Path) -> None:
    weights = tmp_path / "w.gguf"
    weights.write_bytes(b"weights" * 200_000)
    main(["--file", str(weights), "--output", str(tmp_path / "p.json")])
    found = json.loads((tmp_path / "p.json").read_text())
    assert found["files"][weights.as_posix()] == {
        "sha256": hashlib.sha256(b"weights" * 200_000).hexdigest(),
        "bytes": 1_400_000,
    }
    assert found["packages"]["numpy"]
    assert found["machine"]["cores"] >= 1


def test_git_commit_and_dirty_flag(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "one")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()
    assert git_state(tmp_path) == {"commit": commit, "dirty": False}
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path) == {"commit": commit, "dirty": True}


def test_outside_git_there_is_no_commit(tmp_path: Path) -> None:
    assert git_state(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n", "Some CPU @ 2 GHz"),
        (
            "processor\t: 0\nBogoMIPS\t: 108\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n",
            "Raspberry Pi 4 Model B Rev 1.4",
        ),
    ],
)
def test_processor_name(text: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert machine(tmp_path / "cpuinfo")["processor"] == name


def test_absent_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run_stage(main, ["--file", str(tmp_path / "no.gguf"), "--output", str(tmp_path / "p.json")])
    assert stopped.value.code == 2
    assert "no.gguf" in capsys.readouterr().err

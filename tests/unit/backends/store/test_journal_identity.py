"""What starts a journal afresh: all that can move a byte of an answer, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebias.backends.store import identity as module
from edgebias.backends.store.identity import job_identity


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "items.parquet").write_bytes(b"items")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(bytes(200_000))
    os.utime(tmp_path / "model" / "weights.bin", (1, 1))
    return {
        "stage": "edgebias.stages.infer",
        "settings": {"seed": 1, "infer": {"formats": {"bbq": ["letter"]}}},
        "entries": ["edgebias.backends.local.torch"],
        "libraries": ["numpy", "torch"],
        "files": [tmp_path / "items.parquet"],
        "weights": tmp_path / "model",
        "more": ["bbq"],
    }


def rewrite(place: int, time: int) -> Callable[[dict[str, Any]], None]:
    def change(given: dict[str, Any]) -> None:
        path = given["weights"] / "weights.bin"
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"x")
        os.utime(path, (time, time))

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda given: given["settings"].update(seed=2),
        lambda given: given.update(stage="edgebias.stages.rounds"),
        lambda given: given.update(entries=["edgebias.score.rounds"]),
        lambda given: given.update(more=["winobias"]),
        lambda given: given.update(libraries=["numpy"]),
        lambda given: given.update(weights=None),
        lambda given: given["files"][0].write_bytes(b"other"),
        lambda given: (given["weights"] / "more.bin").write_bytes(b""),
        rewrite(100_000, 2),  # in the middle: seen by its time
        rewrite(0, 1),  # the time set back: seen at the ends
        rewrite(199_999, 1),
    ],
)
def test_what_decides_the_answers_changes_it(given: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> None:
    before = job_identity(**given)
    assert job_identity(**given) == before
    change(given)
    assert job_identity(**given) != before


def test_libraries_code_and_variables_count(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    found = [job_identity(**given)]
    monkeypatch.setenv("GGML_NO_REPACK", "1")
    found.append(job_identity(**given))
    monkeypatch.setattr(module, "_library", lambda name: ["another version", ""])
    found.append(job_identity(**given))
    monkeypatch.setattr(module, "_processor", lambda: "another processor")
    found.append(job_identity(**given))
    monkeypatch.setattr(module, "code_hash", lambda *modules: "other code")
    found.append(job_identity(**given))
    assert len(set(found)) == 5


def test_how_threads_wait_keys_and_where_files_lie_do_not_count(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = job_identity(**given)
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    monkeypatch.setenv("LLAMA_API_KEY", "sk-very-secret-0123456789")
    moved = tmp_path / "elsewhere" / "model"
    moved.parent.mkdir()
    given["weights"].rename(moved)
    assert job_identity(**{**given, "weights": moved}) == before

"""What DVC and Snakemake do together after a change, on a study whose backend knows nothing and needs no weights."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from edgebias import config

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(2400)]

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ONE, OTHER = ({"environment": name, "model": "nobody", "variant": "full"} for name in ("guess", "other"))
STUDY = {
    "plugins": ["uniform_backend"],
    "study": {
        "title": "Guesses",
        "suites": ["forced_choice", "counterfactual"],
        "cells": [
            {"environment": "guess", "model": "nobody", "variants": ["full"]},
            {"environment": "other", "model": "nobody", "variants": ["full"], "suites": ["forced_choice"]},
        ],
        "rounds": [],
        "robustness": [],
        "layer_probes": [],
        "methods": [],
        "edge_build": ONE,
        "desktop_build": OTHER,
        "cloud_build": OTHER,
    },
    "models": {"nobody": {"licence": "none: it has no weights"}},
    "environments": {
        name: {"backend": "uniform", "reply": reply, "threads": 1, "context": 512}
        for name, reply in (("guess", "A"), ("other", "B"))
    },
    "prompts": {
        "forced_choice": {"clusters_per_category": 1, "items_per_cluster": 1},
        "counterfactual": {"clusters_per_category": 1, "items_per_cluster": 2},
    },
    "score": {"resamples": 200},
    "compare": {"resamples": 200},
}
PAGE = Path("results/edge/report/index.html")
METRICS = "results/edge/report/metrics.json"
RESAMPLES = re.compile(r"(^score:\n(?:  .*\n)*?  resamples: )\d+", re.MULTILINE)


def call(folder: Path, *command: str) -> str:
    """What ``command`` prints in the checkout; its failure fails the test."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
    return done.stdout + done.stderr


def make(folder: Path, target: str) -> None:
    """The commands of a target of the Makefile, which calls the environment of the checkout."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition(f"\n{target}:")[2].partition("\n\n")[0]
    lines = [line.strip() for line in recipe.splitlines()[1:]]
    assert len(lines) == 3
    for line in lines:
        call(folder, "bash", "-c", line.replace("$(BIN)/", ""))


def digests(folder: Path) -> dict[str, str]:
    """Every table of the study by its hash."""
    files = [path for kind in ("csv", "parquet") for path in (folder / "results").rglob(f"*.{kind}")]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def with_resamples(text: str, count: int) -> str:
    changed, places = RESAMPLES.subn(rf"\g<1>{count}", text)
    assert places == 1
    return changed


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory, copy_checkout: Callable[[Path], Path]) -> Path:
    """The finished study under git and DVC, with a remote, as ``make reproduce`` leaves it."""
    folder = copy_checkout(tmp_path_factory.mktemp("repro"))
    shutil.copy(ROOT / "tests/plugins/uniform_backend.py", folder)
    overlay = folder / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(STUDY, sort_keys=False))
    here = Path.cwd()
    os.chdir(folder)
    try:
        merged = config.load(folder / "params.yaml", overlay)
    finally:
        os.chdir(here)
    (folder / "params.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
    call(folder, "snakemake", "--cores", "2")
    call(folder, "git", "init", "--quiet")
    call(folder, "dvc", "init", "--quiet")
    call(folder, "dvc", "remote", "add", "--quiet", "--default", "local", str(folder.parent / "remote"))
    call(folder, "edgebias", "dvc", "--output", "dvc.yaml")
    (folder / "dvc.lock").write_text("schema: '2.0'\nstages:\n  gone:\n    cmd: a stage of an earlier version\n")
    make(folder, "record")
    call(folder, "dvc", "push", "--quiet")
    call(folder, "git", "add", "--force", METRICS, "dvc.lock", "params.yaml", ".dvc/config")
    call(folder, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", "run")
    return folder


def test_a_scoring_change_asks_nothing_and_going_back_restores(tracked: Path) -> None:
    """One stage for all suites of a cell; the page is that of the numbers after each `dvc repro`."""
    assert "up to date" in call(tracked, "dvc", "status")
    assert "gone" not in yaml.safe_load((tracked / "dvc.lock").read_text())["stages"]
    first = (tracked / "params.yaml").read_text()
    before, page = digests(tracked), (tracked / PAGE).read_text()
    (tracked / "params.yaml").write_text(with_resamples(first, 250))
    printed = call(tracked, "dvc", "repro")
    ran = set(re.findall(r"Running stage '([^']+)'", printed))
    assert ran == {"score-guess-nobody-full", "score-other-nobody-full", "report", "page"}
    other = (tracked / PAGE).read_text()
    assert other != page
    (tracked / "params.yaml").write_text(first)
    printed = call(tracked, "dvc", "repro")
    assert set(re.findall(r"Stage '([^']+)' is cached", printed)) == ran - {"page"}
    assert set(re.findall(r"Running stage '([^']+)'", printed)) == {"page"}
    assert digests(tracked) == before
    assert intervals(tracked) == set(re.findall(r"\[[-\d., ]+\]", page))
    assert call(tracked, "git", "status", "--porcelain", "--untracked-files=no") == ""
    make(tracked, "adopt")
    assert "Nothing to be done" in call(tracked, "snakemake", "--cores", "2")
    assert "up to date" in call(tracked, "dvc", "status")


def intervals(folder: Path) -> set[str]:
    """Every interval of the page: what tells the numbers of one run from those of another."""
    return set(re.findall(r"\[[-\d., ]+\]", (folder / PAGE).read_text()))


def test_adopting_a_checkout_replaces_the_page_of_other_numbers(tracked: Path) -> None:
    """`dvc checkout` runs nothing, so the old page stands until the checkout is adopted."""
    first, here = (tracked / "params.yaml").read_text(), intervals(tracked)
    (tracked / "params.yaml").write_text(with_resamples(first, 300))
    call(tracked, "dvc", "repro", "--quiet")
    there = intervals(tracked)
    assert there != here
    call(tracked, "git", "checkout", "--quiet", "--", ".")
    call(tracked, "dvc", "checkout", "--quiet")
    assert intervals(tracked) == there
    make(tracked, "adopt")
    assert intervals(tracked) == here
    assert "Nothing to be done" in call(tracked, "snakemake", "--cores", "2")
    assert "up to date" in call(tracked, "dvc", "status")


def test_a_fresh_pull_and_adopt_leave_both_tools_idle(tracked: Path) -> None:
    """Costs and the page do not come with it: the page is made, and nothing is asked."""
    here = intervals(tracked)
    call(tracked, "bash", "-c", "rm -rf results .snakemake .dvc/cache")
    call(tracked, "git", "checkout", "--quiet", "--", METRICS)
    call(tracked, "dvc", "pull", "--quiet")
    make(tracked, "adopt")
    assert intervals(tracked) == here
    assert "Nothing to be done" in call(tracked, "snakemake", "--cores", "2")
    assert "up to date" in call(tracked, "dvc", "status")


def test_a_new_cell_is_asked_and_scored_and_no_other(tracked: Path) -> None:
    """Under both tools its own jobs run, then those that compare and report all cells."""
    first = (tracked / "params.yaml").read_text()
    changed = yaml.safe_load(first)
    changed["environments"]["third"] = {**changed["environments"]["guess"], "reply": "C"}
    cell = {"environment": "third", "model": "nobody", "variants": ["full"], "suites": ["forced_choice"]}
    changed["study"]["cells"].append(cell)
    (tracked / "params.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    plan = call(tracked, "snakemake", "--dry-run", "--cores", "2", "--quiet", "host")
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", plan, re.MULTILINE))
    assert {name: jobs.get(name) for name in ("items", "infer", "score")} == {"items": None, "infer": "1", "score": "1"}
    call(tracked, "edgebias", "dvc", "--output", "dvc.yaml")
    ran = set(re.findall(r"Running stage '([^']+)'", call(tracked, "dvc", "repro")))
    own = {stage for stage in ran if "third" in stage}
    assert len(own) == 2
    assert ran - own <= {"compare", "report", "page"}
    (tracked / "params.yaml").write_text(first)

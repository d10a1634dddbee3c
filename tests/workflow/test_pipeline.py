"""The whole pipeline at smoke size, as its users run it: from scratch, again, killed, and through DVC."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from edgebias import config as params

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(2400)]

BIN = Path(sys.executable).parent
UNSTABLE = ("results/edge/cost/", "results/edge/provenance.json", "results/edge/report/")
"""Latencies and machine facts; the page shows them."""


METRICS = "results/edge/report/metrics.json"
"""In git, not in DVC's cache, so that every change of a number is a diff."""


def call(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    if check:
        assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout[-4000:]}\n{result.stderr[-8000:]}"
    return result


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every table that must not change between runs."""
    files = [path for path in (folder / "results").rglob("*") if path.is_file()]
    named = {str(path.relative_to(folder)): path for path in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in sorted(named.items())
        if not name.startswith(UNSTABLE) and not name.endswith(("cost.json", ".gitignore"))  # DVC writes the latter
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, copy_checkout) -> Path:
    """A finished smoke run; params.yaml holds the smoke values, as DVC reads no other file."""
    folder = copy_checkout(tmp_path_factory.mktemp("pipeline"))
    smoke = params.load(folder / "params.yaml", folder / "config" / "smoke.yaml")
    (folder / "params.yaml").write_text(yaml.safe_dump(smoke, sort_keys=False))
    call(folder, "snakemake", "--cores", "4")
    return folder


def test_every_table_and_the_report_are_there(study: Path) -> None:
    page = (study / "results/edge/report/index.html").read_text()
    assert page.count("data:image/svg+xml") >= 5
    suites = {
        "edge/smollm2-135m-instruct/wanda50_q8_0": {"bbq", "stereoset", "crows_pairs", "winobias", "forced_choice"},
        "desktop/smollm2-135m-instruct/full": {"bbq", "stereoset", "forced_choice"},
        "cloud/smollm2-135m-instruct/full": {"bbq", "winobias", "forced_choice"},
    }
    for cell, expected in suites.items():
        tables = {path.stem for path in (study / "results/edge/scores" / cell).glob("*.csv")}
        assert tables - {"over_time", "over_time_rounds"} == expected
    assert not list(study.rglob("*.part"))


def test_a_second_call_does_nothing(study: Path) -> None:
    assert "Nothing to be done" in call(study, "snakemake", "--cores", "4").stderr


def test_a_killed_run_on_one_core_ends_with_the_same_bytes(study: Path) -> None:
    before = digests(study)
    assert before
    call(study, "bash", "-c", "rm -r results")
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    process = subprocess.Popen(  # of the longest chain, which has priority, none of these files would come for minutes
        ["snakemake", "--cores", "1", "--until", "infer"], cwd=study, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    responses = study / "results/edge/responses"
    deadline = time.monotonic() + 600
    while len(list(responses.rglob("*.parquet"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in responses.rglob("*.parquet")}
    assert len(finished) >= 2
    call(study, "snakemake", "--cores", "1")
    assert digests(study) == before
    repeated = [path for path, stamp in finished.items() if path.stat().st_mtime_ns != stamp]
    assert len(repeated) <= 1, f"finished jobs were repeated: {repeated}"
    leftovers = subprocess.run(["pgrep", "-f", f"llama_cpp.server.*{study}"], capture_output=True, text=True)
    assert not leftovers.stdout.strip(), "a loopback server outlived the run"


@pytest.fixture(scope="module")
def tracked(study: Path) -> Path:
    """The finished run under git and DVC, with a remote."""
    call(study, "git", "init", "--quiet")
    call(study, "dvc", "init", "--quiet")
    call(study, "dvc", "config", "core.analytics", "false")
    call(study, "dvc", "remote", "add", "--quiet", "--default", "local", str(study.parent / "remote"))
    call(study, sys.executable, "-m", "edgebias", "dvc", "--output", "dvc.yaml")
    call(study, "dvc", "repro", "--quiet", "code")
    call(study, "dvc", "commit", "--force", "--quiet")
    call(study, "dvc", "push", "--quiet")
    call(study, "git", "add", "--force", METRICS, "dvc.lock", "params.yaml")
    call(study, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", "run")
    return study


def test_a_restored_checkout_leaves_both_tools_idle(tracked: Path) -> None:
    """Every stage's outputs come back; what `dvc repro` runs after a change is in test_repro.py and test_dag.py."""
    assert "up to date" in call(tracked, "dvc", "status").stdout
    before = digests(tracked)
    call(tracked, "bash", "-c", "rm -rf results .snakemake .dvc/cache")
    call(tracked, "git", "checkout", "--", METRICS)
    call(tracked, "dvc", "pull", "--quiet")
    call(tracked, "dvc", "status", "--quiet")
    assert digests(tracked) == before
    # as `make adopt` does: the page is not in DVC's cache, as it shows what this machine measured
    call(tracked, "snakemake", "--touch", "--cores", "1", "--", "recorded")
    page = "results/edge/report/index.html"
    call(tracked, "snakemake", "--cores", "1", "--quiet", "all", "--allowed-rules", "page", "--", page)
    assert "Nothing to be done" in call(tracked, "snakemake", "--cores", "4").stderr
    assert "up to date" in call(tracked, "dvc", "status").stdout

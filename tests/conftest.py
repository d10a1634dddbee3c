"""Shared fixtures: a copy of the checkout, so that no test touches real results."""

import gc
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

# Until all tests are collected: what is imported is no garbage, and looking at it again takes a third of the time.
gc.disable()

# As in a rule of one thread, for which Snakemake exports these: a linear-algebra library that starts a thread for every
# core beside busy cores made single tests ten times slower. Before numpy is imported, and inherited by started stages.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# A deadline is a timed test: on a busy machine it fails without a fault.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parents[1]
LONG = ({"pipeline"}, {"model", "fault"}, {"workflow", "slow"})
"""Marks and folders of files that take long, the longest first."""
WORKFLOW_PARTS = (
    "Snakefile", "params.yaml", "dvc.yaml", "claims.yaml", "Makefile",
    "workflow", "profiles", "config", "src", "data/forced_choice", "data/counterfactual", "data/paper",
    "data/hardware",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, so that of two test processes none waits for the last file of the other.

    xdist keeps this order where it is told to (``--no-loadscope-reorder``): by itself it begins with the files of most
    tests, and the pipeline would come last.
    """
    ranks: dict[Path, int] = {}
    for item in items:
        ranks[item.path] = min(rank(item), ranks.get(item.path, len(LONG)))
    items.sort(key=lambda item: ranks[item.path])


def rank(item: pytest.Item) -> int:
    """How early the file of a test is begun: the pipeline, what asks real models or kills processes, other runs."""
    marks = {mark.name for mark in item.iter_markers()} | {item.path.parent.name}
    return next((place for place, names in enumerate(LONG) if names & marks), len(LONG))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """What is imported and collected stays to the end: no collection of garbage need look at it again.

    Some libraries ask for one at every call, and with all tests loaded each takes a quarter of a second.
    """
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def snakemake() -> str:
    """The snakemake of the interpreter that runs the tests."""
    return str(Path(sys.executable).with_name("snakemake"))


@pytest.fixture(scope="session")
def copy_checkout() -> Callable[[Path], Path]:
    """A function that copies what the workflow needs into a folder."""

    def copy(folder: Path) -> Path:
        for part in WORKFLOW_PARTS:
            source, target = ROOT / part, folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy2(source, target)
        return folder

    return copy

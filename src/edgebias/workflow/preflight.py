"""What would stop a run at its end, looked for in its first second: one plain line each."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgebias.core.errors import InputError, one_line
from edgebias.core.machine import cores_here, memory_mb_here
from edgebias.models.fetch.wheel import NO_PIP, pip_command
from edgebias.study import EDGE, Study
from edgebias.workflow.dvc import IN_GIT

READING = (
    *("--dry-run", "--dryrun", "--unlock", "--lint", "--list", "--list-rules", "--list-target-rules", "--summary"),
    *("--detailed-summary", "--list-changes", "--list-input-changes", "--list-params-changes", "--dag", "--rulegraph"),
    *("--filegraph", "--d3dag", "--report", "--archive", "--containerize", "--print-compilation", "--help"),
    *("--version", "--list-untracked", "--cleanup-metadata", "--delete-all-output", "--delete-temp-output", "--mode"),
)
"""Options of Snakemake with which no job runs."""

WRITTEN = ("data", "results", "logs", ".snakemake")
"""Folders that a run writes to."""

FREE_MB = 500
"""Below this many free MiB a run is not begun: tables, logs and the page of the smallest study."""

BUILD_MB = 300
"""Free MiB for each build that is not made yet, where its model's size is not known: one of 135 million weights."""

OF_SOURCE = 3.0
"""A build takes this many times its model file at most, beside its transformers form: measured on 4-bit files."""


def is_run(argv: list[str]) -> bool:
    """Return whether this process is snakemake, and runs jobs: others read the rules from Python."""
    program = Path(argv[0])
    called = program.parent.name if program.name == "__main__.py" else program.name
    return called == "snakemake" and writes(argv[1:])


def writes(arguments: list[str]) -> bool:
    """Return whether snakemake, called with ``arguments``, runs jobs."""
    return not any(
        argument.partition("=")[0] in READING or re.fullmatch(r"-[a-zA-Z]*[nlFhvS][a-zA-Z]*", argument)
        for argument in arguments
    )


def name_the_user() -> None:
    """Let this process and its jobs know who runs them where the system does not: Snakemake and torch ask.

    A container's user of another machine has a number and no name.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = str(os.getuid())


def check(study: Study, cores: int | None) -> None:
    """Print a line on standard error for each thing that may stop ``study`` later.

    Args:
        study: what is to run.
        cores: how many Snakemake may use; None where it does not say.

    Raises:
        InputError: something that will stop it for certain.
    """
    for fault in certain(study):
        raise InputError(fault)
    for doubt in doubts(study, cores):
        print(f"warning: {doubt}", file=sys.stderr)


def certain(study: Study) -> Iterator[str]:
    """Yield what makes a run impossible: folders that cannot be written, no pip for what is not fetched yet."""
    folder = Path(sys.executable).parent
    if os.pathsep in str(folder):
        yield f"{folder}: no PATH can name a folder with {os.pathsep!r}; make the environment in another folder"
    for name in WRITTEN:
        path = Path(name)
        if path.is_symlink() and not path.exists():
            yield f"{name}: a link to {os.readlink(path)}, which is not there; mount that disk, or remove the link"
        below = [path / inner for inner in ("raw", "models", "items")] if name == "data" else []
        below += [Path(study.results)] if name == "results" else []
        for place in (path, *below) if path.exists() else (Path(),):
            if place.exists() and not os.access(place, os.W_OK | os.X_OK):
                yield f"{place.absolute()}: cannot be written to; run in a folder that you own"
    try:
        tempfile.TemporaryFile().close()
    except OSError as error:
        yield f"TMPDIR: no temporary file can be written ({error.strerror or error}); set it to a folder with space"
    if _packages(study) and not pip_command():
        yield f"{_packages(study)[0]} cannot be fetched: {NO_PIP}"


def doubts(study: Study, cores: int | None) -> Iterator[str]:
    """Yield what may stop a run late, or slow it down: space, memory, cores, what DVC will refuse to record."""
    yield from _space(study)
    largest = max((study.properties(cell.environment).job_memory_mb for cell in study.cells), default=0)
    if (memory := memory_mb_here()) < largest:
        yield f"memory: the largest job takes {largest} MB, and {memory} MB are here; it may be killed"
    if cores is not None and (here := cores_here()) < cores:
        yield f"cores: {cores} were asked for, and {here} are here; jobs will wait for one another: --cores {here}"
    if study.name == EDGE and Path(".dvc").is_dir() and Path(".git").exists():
        yield from _dvc()


def _packages(study: Study) -> list[str]:
    """Return the packages that are still to be fetched."""
    found = []
    if "package" in study.config["benchmarks"] and not all(Path(path).exists() for path in study.raw_files()):
        found.append(study.config["benchmarks"]["package"])
    for name in sorted({model for model, _ in study.local_variants()}):
        source = study.config["models"][name].get("source") or {}
        if "package" in source and not Path(f"data/raw/models/{name}.gguf").exists():
            found.append(source["package"])
    return found


def _space(study: Study) -> Iterator[str]:
    needed: dict[int, tuple[Path, float]] = {}
    for place, megabytes in [(Path("results"), FREE_MB), (Path(study.models), _builds_mb(study))]:
        folder = next(parent for parent in (place, *place.absolute().parents) if parent.exists())
        before = needed.get(folder.stat().st_dev, (folder, 0.0))
        needed[folder.stat().st_dev] = (before[0], before[1] + megabytes)
    for folder, megabytes in needed.values():
        free = shutil.disk_usage(folder).free / 2**20
        if free < megabytes:
            yield f"disk: about {megabytes:.0f} MB are needed beside {folder.absolute()}, and {free:.0f} are free"


def _builds_mb(study: Study) -> float:
    """Return about how many MiB the builds take that are not made yet."""
    total = 0.0
    for model, variant in study.local_variants():
        if Path(study.models, model, f"{variant}.gguf").exists():
            continue
        source = study.config["models"][model].get("source") or {}
        known = [
            path for path in (f"data/raw/models/{model}.gguf", source.get("file", "")) if path and Path(path).is_file()
        ]
        total += OF_SOURCE * Path(known[0]).stat().st_size / 2**20 if known else BUILD_MB
    return total


def _dvc() -> Iterator[str]:
    """Yield what DVC will object to when `make record` hands it the results."""
    for name in ("data", "data/raw", "data/models", "data/items", "results", "results/edge"):
        if Path(name).is_symlink():
            yield f"DVC records nothing behind a link, and {name} is one: results are made, `make record` will refuse"
    for name in ("dvc.yaml", "dvc.lock"):
        if Path(name).exists() and "\n<<<<<<< " in Path(name).read_text(encoding="utf-8", errors="replace"):
            yield f"{name} has marks of a merge, so `make record` will refuse; resolve them"
    git = shutil.which("git")
    if git is None:
        yield "git is not installed: the report will name no commit"
        return
    listed = subprocess.run(
        [git, "ls-files", "--", "data/raw", "data/models", "data/items", "data/code", "results"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        yield f"git: {one_line(listed.stderr, 200)}; DVC will refuse to record the results"
    tracked = [name for name in listed.stdout.splitlines() if Path(name).name not in {IN_GIT, "claims.csv"}]
    if tracked:
        yield f"git tracks {tracked[0]}, so DVC will refuse to record it; take it out: git rm -r --cached {tracked[0]}"

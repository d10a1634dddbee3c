"""Dry runs of Snakemake in the test's own process."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from snakemake.cli import main


def plan(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A dry run of the snakemake command in this process: a process of its own takes two seconds to start."""
    command = ["snakemake", "--dry-run", "--cores", "1", *options]
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, chdir(folder), redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", command)
        patch.setattr(sys, "path", [*sys.path])
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as left:
            main(command[1:])
    return subprocess.CompletedProcess(command, int(left.value.code or 0), out.getvalue(), err.getvalue())

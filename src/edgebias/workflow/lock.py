"""One run at a time in a checkout: what a dead run locked is free again, what a living one locked is not.

Snakemake's own lock names files and no process, so a run that was killed leaves the folder locked for good. Here each
run holds a lock of the operating system, which ends with its process. Who has it knows that Snakemake's lock is stale.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import sys
import time
from pathlib import Path
from typing import IO

from edgebias.core.errors import InputError, one_line
from edgebias.core.processes import PROC, ancestors, commands_in
from edgebias.workflow.preflight import writes

LOCK = Path(".snakemake/edgebias.lock")
SNAKEMAKE_LOCKS = Path(".snakemake/locks")

_held: list[IO[str]] = []
"""The lock of this process, open until it ends."""


def hold(proc: Path = PROC) -> None:
    """Take the checkout in the working directory for this process, and remove the locks that dead runs left.

    Jobs of a run that was killed may still work; they are waited for, because two jobs must not write one file.

    Raises:
        InputError: another run is alive here, whose process the line names; or nothing can be written here.
    """
    if _held:
        return
    try:
        LOCK.parent.mkdir(exist_ok=True)
        stream = LOCK.open("a+", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{LOCK.absolute()}: cannot be written ({error.strerror}); run in a folder that you own, on a disk that "
            "can be written to"
        ) from error
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.seek(0)
        raise InputError(_occupied(stream.read().strip() or "its name is not known")) from None
    except OSError:  # a file system without such locks: Snakemake's own stays as it is
        stream.close()
        return
    _held.append(stream)
    stream.truncate(0)
    print(f"process {os.getpid()}: {shlex.join(['snakemake', *sys.argv[1:]])}", file=stream, flush=True)
    mine = {os.getpid(), *ancestors(os.getpid(), proc)}
    for pid, command in commands_in(Path.cwd(), proc).items():  # of a version that held no such lock
        if pid not in mine and _is_run(command):
            raise InputError(_occupied(f"process {pid}: {shlex.join(command)}"))
    _wait_for_jobs(proc)
    for left in SNAKEMAKE_LOCKS.glob("*.lock"):
        left.unlink(missing_ok=True)


def _occupied(who: str) -> str:
    return (
        f"another run works in this checkout ({one_line(who, 200)}); wait until it has ended, then run again, "
        "or use a second checkout"
    )


def _wait_for_jobs(proc: Path) -> None:
    told = False
    while jobs := {pid: stage for pid, command in commands_in(Path.cwd(), proc).items() if (stage := _stage(command))}:
        if not told:
            named = ", ".join(f"process {pid}: {stage}" for pid, stage in sorted(jobs.items()))
            print(f"a run that was killed left jobs that still work ({named}); waiting until they end", file=sys.stderr)
            told = True
        time.sleep(0.5)


def _stage(command: list[str]) -> str:
    """Return which stage a process is, where a rule started it: ``python -m edgebias STAGE``."""
    return command[3] if command[1:3] == ["-m", "edgebias"] and len(command) > 3 else ""


def _is_run(command: list[str]) -> bool:
    called = next((place for place, word in enumerate(command[:3]) if Path(word).name == "snakemake"), None)
    return called is not None and writes(command[called + 1 :])

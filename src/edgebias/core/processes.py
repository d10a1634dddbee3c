"""Processor time and memory of this process and of those that it started, such as the loopback server."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def live_children(proc: Path = PROC) -> list[int]:
    """Return the identifiers of the running processes that this one started, directly or not.

    None where there is no ``/proc``.
    """
    return _descendants(_stats(proc))


def processor_seconds(proc: Path = PROC) -> float:
    """Return the seconds of processor time so far, in user and system mode, over all threads and started processes."""
    own = os.times()
    ticks = os.sysconf("SC_CLK_TCK")
    stats = _stats(proc)
    started = sum(sum(map(int, stats[pid][11:15])) for pid in _descendants(stats))
    return own.user + own.system + own.children_user + own.children_system + started / ticks


def peak_of_children_mb(proc: Path = PROC) -> float:
    """Return the sum of the largest resident memory, in MiB, of each process that this one started and that
    still runs.
    """
    return sum(_peak_kb(proc / str(pid) / "status") for pid in live_children(proc)) / 1024


def _descendants(stats: dict[int, list[str]]) -> list[int]:
    parents = {pid: int(fields[1]) for pid, fields in stats.items()}
    found, waiting = list[int](), [os.getpid()]
    while waiting:
        parent = waiting.pop()
        children = sorted(pid for pid, its_parent in parents.items() if its_parent == parent)
        found += children
        waiting += children
    return found


def _stats(proc: Path) -> dict[int, list[str]]:
    """Return the fields after the name in ``/proc/{pid}/stat`` of each process: state, parent, ...; see proc(5)."""
    found = {}
    for path in proc.glob("[0-9]*/stat"):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended
            continue
        found[int(path.parent.name)] = text.rpartition(")")[2].split()
    return found


def _peak_kb(status: Path) -> int:
    try:
        lines = status.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def commands_in(folder: Path, proc: Path = PROC) -> dict[int, list[str]]:
    """Return the command lines of the running processes whose working directory is ``folder``, by identifier.

    None where there is no ``/proc``; processes of other users are not seen.
    """
    here, found = os.path.realpath(folder), {}
    for path in proc.glob("[0-9]*"):
        try:
            if os.readlink(path / "cwd") == here:
                found[int(path.name)] = (
                    (path / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")[:-1]
                )
        except OSError:  # it has ended, or is another user's
            continue
    return found


def ancestors(pid: int, proc: Path = PROC) -> list[int]:
    """Return the identifiers of the processes that started ``pid``, the nearest first."""
    stats, found = _stats(proc), list[int]()
    while pid in stats and (pid := int(stats[pid][1])) and pid not in found:
        found.append(pid)
    return found

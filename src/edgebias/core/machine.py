"""How many cores and how much memory this process may use: those of the machine, or what a control group leaves it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def cores_here(root: Path = ROOT) -> int:
    """Return how many cores this process may use, by its affinity and by the quotas of its control groups."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shares = [own, *(math.ceil(quota) for quota in _quotas(root))]
    return max(1, min(shares))


def memory_mb_here(root: Path = ROOT) -> int:
    """Return how many MiB of memory this process may use: the machine's, or less where a control group says so."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    names = ("memory.max", "memory.limit_in_bytes")
    limits = [
        int(text) for group in _groups(root, "memory") for name in names if (text := _read(group / name)).isdigit()
    ]
    return min([machine, *limits]) // 2**20


def _quotas(root: Path) -> Iterator[float]:
    for group in _groups(root, "cpu"):
        quota, _, period = _read(group / "cpu.max").partition(" ")
        if not quota:  # version 1 of control groups
            quota, period = _read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):
            yield int(quota) / int(period)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control groups, from its own to the outermost; see cgroups(7)."""
    mounted = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, name = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        top = mounted / controller if controllers else mounted
        group = top / name.lstrip("/")
        yield group
        yield from (parent for parent in group.parents if parent == top or top in parent.parents)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""

"""The memory limit of the edge environment, enforced by the operating system."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from edgebias.backends.registry import properties_of
from edgebias.core.errors import InputError
from edgebias.core.processes import peak_of_children_mb

MEBIBYTE = 1024 * 1024
"""What ``memory_mb`` counts in, as /proc and container runtimes do."""


def peak_memory_mb() -> float:
    """Return the largest resident memory so far in MiB, of this process and of a server that it started and that still
    runs.

    On Linux it is the high-water mark of this process's own memory. `getrusage` begins with that of the parent, which a
    started process inherits, and is read only where there is no /proc.
    """
    own = next(iter(_of_status("VmHWM")), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return own + peak_of_children_mb()


def _of_status(key: str, status: Path = Path("/proc/self/status")) -> list[float]:
    """Return what the operating system says of this process's memory under ``key``, in MiB; nothing elsewhere."""
    lines = status.read_text(encoding="ascii", errors="replace").splitlines() if status.is_file() else []
    return [int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{key}:")]


def check_memory_limit(weights: Path, memory_mb: int) -> None:
    """Refuse a limit that the weights alone exceed, before anything is loaded.

    Raises:
        InputError: the file is larger than ``memory_mb`` MiB.
    """
    size = weights.stat().st_size / MEBIBYTE if weights.is_file() else 0.0
    if size > memory_mb:
        raise InputError(
            f"memory_mb: {memory_mb} MB cannot hold {weights} ({size:.0f} MB); raise the environment's memory_mb or "
            "choose a smaller variant"
        )


def apply_memory_limit(environment: Mapping[str, Any], weights: Path | None) -> AbstractContextManager[None]:
    """Put this process under its environment's ``memory_mb`` from now on.

    Only a backend that enforces memory is limited; for any other, and without ``memory_mb``, nothing happens. The
    limit is ``RLIMIT_DATA``: heap and private writable mappings of the whole process, interpreter included, which is
    where llama.cpp puts weights (they are read, not mapped), key-value cache and work buffers. All three are
    allocated when the model loads, so that a limit that is too small is an `InputError` of `LlamaBackend`, not a crash
    in the middle.

    Call it before the model is loaded. As a plain call the limit stays until the process ends; as a context manager
    the old limit returns at the end of the block.

    Args:
        environment: an entry of ``environments`` (keys ``backend``, ``memory_mb``).
        weights: the model file, to be refused at once where it is larger than the limit.

    Raises:
        InputError: the weights alone exceed the limit, or the operating system allows no such limit.
    """
    previous = resource.getrlimit(resource.RLIMIT_DATA)
    memory_mb = environment.get("memory_mb")
    if memory_mb is not None and properties_of(environment).enforces_memory:
        if weights is not None:
            check_memory_limit(weights, memory_mb)
            _check_room(weights, memory_mb)
        try:
            resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * MEBIBYTE, previous[1]))
        except (ValueError, OSError) as error:
            raise InputError(f"memory_mb: a limit of {memory_mb} MB cannot be set here ({error}); lower it") from error
    return _Restore(previous)


def _check_room(weights: Path, memory_mb: int) -> None:
    used = sum(_of_status("VmData"))
    size = weights.stat().st_size / MEBIBYTE if weights.is_file() else 0.0
    if used + size > memory_mb:
        raise InputError(
            f"memory_mb: {memory_mb} MB cannot hold {weights} ({size:.0f} MB) beside Python itself ({used:.0f} MB); "
            "raise the environment's memory_mb"
        )


class _Restore(AbstractContextManager[None]):
    def __init__(self, limits: tuple[int, int]) -> None:
        self._limits = limits

    def __exit__(self, *exception: object) -> None:
        resource.setrlimit(resource.RLIMIT_DATA, self._limits)

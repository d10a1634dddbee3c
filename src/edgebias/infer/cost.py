"""What answering cost: for the cost file, never for a response table."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgebias.backends.base import Backend


@dataclass
class Stopwatch:
    """Wall-clock seconds of every answer, by format (or mode)."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Time one answer of the format ``name``."""
        start = time.perf_counter()
        yield
        self.seconds[name].append(time.perf_counter() - start)


def cost_record(
    backend: Backend,
    stopwatch: Stopwatch,
    *,
    environment: Mapping[str, Any],
    weights: Path | None,
    skipped: Mapping[str, str],
    peak_memory_mb: float,
) -> dict[str, Any]:
    """The content of a cost file.

    Args:
        backend: the backend that did the work; its usage and notes are recorded.
        stopwatch: the seconds of each answer.
        environment: the environment's settings, for its threads.
        weights: the weights that ran; file name and size are recorded, provenance is the report's.
        skipped: what was not asked, with the reason.
        peak_memory_mb: largest resident memory of the process so far, in MB.

    Returns:
        Seconds and ms per answer (median, 95th percentile) by format; tokens and tokens per second over the whole
        cell, where a token is one that was shown, scored or written.
    """
    usage = backend.usage()
    tokens = usage.prompt_tokens + usage.scored_tokens + usage.generated_tokens
    return {
        "backend": backend.name,
        "threads": environment.get("threads"),
        "answers": {name: len(values) for name, values in stopwatch.seconds.items()},
        "seconds": {name: sum(values) for name, values in stopwatch.seconds.items()},
        "ms_per_answer": {
            name: {
                "median": 1000 * float(np.median(values)),
                "p95": 1000 * float(np.percentile(values, 95)),
            }
            for name, values in stopwatch.seconds.items()
        },
        "prompt_tokens": usage.prompt_tokens,
        "scored_tokens": usage.scored_tokens,
        "generated_tokens": usage.generated_tokens,
        "backend_seconds": usage.seconds,
        "tokens_per_second": tokens / usage.seconds if usage.seconds > 0 else None,
        "peak_memory_mb": peak_memory_mb,
        "weights": None if weights is None else {"name": weights.name, "bytes": _size(weights)},
        "skipped": dict(skipped),
        "notes": dict(usage.notes),
    }


def _size(weights: Path) -> int:
    files = [weights] if weights.is_file() else sorted(path for path in weights.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)

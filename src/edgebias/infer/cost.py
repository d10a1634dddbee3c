"""What answering cost: for the cost file, never for a response table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgebias.backends.base import Backend
from edgebias.backends.registry import properties_of
from edgebias.backends.store.journal import Journal
from edgebias.core.processes import processor_seconds
from edgebias.infer.energy import EnergyMeter


@dataclass
class Stopwatch:
    """Wall-clock seconds and number of answers by format (or mode); processor seconds and energy over all of them.

    Backends answer several requests together, so that the time of a single answer has no meaning. ``clock`` is that of
    the journal where there is one: then the seconds are those of the whole work, also of a job that was interrupted.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    clock: Callable[[], float] = time.perf_counter
    processor_seconds: float = 0.0
    energy: EnergyMeter = field(default_factory=EnergyMeter)

    @contextmanager
    def timing(self, name: str, answers: int = 1) -> Iterator[None]:
        """Add the time of ``answers`` answers of the format ``name``."""
        start, busy = self.clock(), processor_seconds()
        with self.energy.measuring():
            yield
        self.processor_seconds += processor_seconds() - busy
        self.seconds[name] = self.seconds.get(name, 0.0) + self.clock() - start
        self.answers[name] = self.answers.get(name, 0) + answers


def new_stopwatch(journal: Journal | None) -> Stopwatch:
    """Return a stopwatch of the whole work: with what earlier processes took, where a journal tells it."""
    return Stopwatch() if journal is None else Stopwatch(clock=journal.clock)


def cost_record(
    backend: Backend,
    stopwatch: Stopwatch,
    *,
    environment: Mapping[str, Any],
    weights: Path | None,
    skipped: Mapping[str, str],
    peak_memory_mb: float,
    journal: Journal | None = None,
) -> dict[str, Any]:
    """Return the content of a cost file.

    Args:
        backend: the backend that did the work; its usage and notes are recorded.
        stopwatch: seconds and answers of each format.
        environment: the environment's settings, for its threads.
        weights: the weights that ran; file name and size are recorded, provenance is the report's.
        skipped: what was not asked, with the reason.
        peak_memory_mb: largest resident memory of the process so far, in MB.
        journal: from which a job that was interrupted went on; how often, and how many answers it gave, is recorded.

    Returns:
        Answers, seconds and mean ms per answer by format; tokens and tokens per second over the whole
        cell, where a token is one that was shown, scored or written; processor seconds of all threads and of a server
        that was started; joules of the machine, other processes included, or None with the reason.
    """
    usage = backend.usage()
    energy = stopwatch.energy.reading
    tokens = usage.prompt_tokens + usage.scored_tokens + usage.generated_tokens
    memory_mb = environment.get("memory_mb")
    return {
        "backend": backend.name,
        "threads": environment.get("threads"),
        "answers": dict(stopwatch.answers),
        "seconds": dict(stopwatch.seconds),
        "ms_per_answer": {
            name: {"mean": 1000.0 * seconds / stopwatch.answers[name]}
            for name, seconds in stopwatch.seconds.items()
            if stopwatch.answers[name]
        },
        "prompt_tokens": usage.prompt_tokens,
        "scored_tokens": usage.scored_tokens,
        "generated_tokens": usage.generated_tokens,
        "backend_seconds": usage.seconds,
        "tokens_per_second": tokens / usage.seconds if usage.seconds > 0 else None,
        "processor_seconds": stopwatch.processor_seconds,
        "energy": {"joules": energy.joules, "source": energy.source, "reason": energy.reason},
        "peak_memory_mb": peak_memory_mb,
        "memory_limit_mb": memory_mb,
        "memory_limit_enforced": memory_mb is not None and properties_of(environment).enforces_memory,
        "weights": None if weights is None else {"name": weights.name, "bytes": _size(weights)},
        "skipped": dict(skipped),
        "interruptions": 0 if journal is None else journal.interruptions,
        "answers_from_journal": 0 if journal is None else journal.recalled,
        "notes": dict(usage.notes),
    }


def _size(weights: Path) -> int:
    files = [weights] if weights.is_file() else sorted(path for path in weights.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)

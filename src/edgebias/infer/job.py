"""A stage's job and its journal: opened beside the job's output, removed when the output is complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebias.backends.base import Backend
from edgebias.backends.registry import BACKENDS, kind_of, properties_of
from edgebias.backends.store.identity import job_identity
from edgebias.backends.store.journal import Journal
from edgebias.backends.store.journaled import JournaledBackend
from edgebias.infer.cell import Cell, open_cell
from edgebias.infer.cost import Stopwatch, cost_record, new_stopwatch


@dataclass(frozen=True)
class Job:
    """One cell at work: the journal that keeps its answers (None where it needs none), and its stopwatch."""

    cell: Cell
    weights: Path | None
    journal: Journal | None
    stopwatch: Stopwatch

    @contextmanager
    def model(self) -> Iterator[Backend]:
        """Open the cell's model for the block; its answers go into the journal, and come from there.

        Raises:
            InputError: the weights are absent.
        """
        with open_cell(self.cell, self.weights) as backend:
            yield journaled(backend, self.journal)

    def cost(self, backend: Backend, skipped: Mapping[str, str]) -> dict[str, Any]:
        """Return the content of the cost file, of the whole work so far.

        ``skipped`` says what was not asked, and why.
        """
        from edgebias.backends.local.memory_limit import peak_memory_mb

        return cost_record(
            backend,
            self.stopwatch,
            environment=self.cell.environment,
            weights=self.weights,
            skipped=skipped,
            peak_memory_mb=peak_memory_mb(),
            journal=self.journal,
        )


@contextmanager
def open_job(
    stage: str,
    settings: Mapping[str, Any],
    cell: Cell,
    files: Sequence[Path],
    weights: Path | None,
    outputs: Sequence[Path],
    more: Sequence[str] = (),
) -> Iterator[Job]:
    """Open the journal of a job for the block, which must write ``outputs``, and start its stopwatch.

    The model is opened in the block (`Job.model`) and closed before the outputs are written, so that writing them is
    not under the memory limit of the cell.

    Args:
        stage: the stage's module.
        settings: of the stage.
        cell: what they say of the cell.
        files: small inputs of the stage.
        weights: the model's file or folder, or None.
        outputs: what the block writes from the answers.
        more: further words that tell jobs of one stage apart.

    Raises:
        InputError: another process is at the same job, or a file cannot be read.
    """
    journal_of = open_journal(
        stage, settings, cell.environment, files=files, weights=weights, outputs=outputs, more=more
    )
    with journal_of as journal:
        yield Job(cell, weights, journal, new_stopwatch(journal))


@contextmanager
def open_journal(
    stage: str,
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    *,
    files: Sequence[Path],
    weights: Path | None,
    outputs: Sequence[Path],
    more: Sequence[str] = (),
) -> Iterator[Journal | None]:
    """Open ``{first output}.journal`` for the block, which must write ``outputs``; remove it when the block succeeds.

    After any failure the journal stays, and the next run of the same job goes on from it. Answers that cost nothing to
    get again have no journal: those of a recorded backend, and those of an endpoint with a store of its own.

    Args:
        stage: the stage's module.
        settings: of the stage.
        environment: the entry of ``environments`` in them.
        files: small inputs of the stage, see `job_identity`.
        weights: the model's file or folder, or None.
        outputs: what the block writes from the answers.
        more: further words that tell jobs of one stage apart.

    Raises:
        InputError: another process is at the same job, or a file cannot be read.
    """
    if properties_of(environment).keeps_answers:
        yield None
        return
    kind = kind_of(environment)
    owner = job_identity(
        stage,
        settings,
        entries=[BACKENDS.module(kind.name)],
        libraries=kind.libraries,
        files=[path for path in files if path.is_file()],  # an absent one is the stage's to refuse
        weights=weights if weights is not None and weights.exists() else None,
        more=more,
    )
    with Journal(outputs[0].with_name(f"{outputs[0].name}.journal"), owner) as journal:
        yield journal
        journal.remove(*outputs)


def journaled(backend: Backend, journal: Journal | None) -> Backend:
    """Return ``backend`` with its answers kept in ``journal``, where there is one."""
    return backend if journal is None else JournaledBackend(backend, journal)

"""The journal of a stage's job: opened beside its output, removed when the output is complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgebias.backends.base import Backend
from edgebias.journal.backend import JournaledBackend
from edgebias.journal.file import Journal
from edgebias.journal.identity import identity


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
        files: small inputs of the stage, see `identity`.
        weights: the model's file or folder, or None.
        outputs: what the block writes from the answers.
        more: further words that tell jobs of one stage apart.

    Raises:
        InputError: another process is at the same job, or a file cannot be read.
    """
    if _is_stored(environment):
        yield None
        return
    owner = identity(
        stage,
        settings,
        files=[path for path in files if path.is_file()],  # an absent one is the stage's to refuse
        weights=weights if weights is not None and weights.exists() else None,
        more=more,
    )
    with Journal(outputs[0].with_name(f"{outputs[0].name}.journal"), owner) as journal:
        yield journal
        journal.remove(*outputs)


def journaled(backend: Backend, journal: Journal | None) -> Backend:
    """``backend`` with its answers kept in ``journal``, where there is one."""
    return backend if journal is None else JournaledBackend(backend, journal)


def _is_stored(environment: Mapping[str, Any]) -> bool:
    if environment.get("backend") == "openai":
        return environment.get("endpoint") != "loopback" and environment.get("store", "the default") is not None
    return environment.get("backend") == "recorded"

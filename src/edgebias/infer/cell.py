"""One (environment, model) cell as its settings describe it, and its backend under the environment's limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebias.backends.base import Backend
from edgebias.backends.settings import EnvironmentSettings
from edgebias.core.errors import InputError
from edgebias.core.record import mapping_of
from edgebias.core.settings import only_one, seed_of, value_of
from edgebias.infer.answer import AnswerSettings, ContinuationSettings
from edgebias.infer.settings import InferSettings
from edgebias.models.settings import ModelSettings
from edgebias.suites.formats import refused_in_chat


@dataclass(frozen=True)
class Cell:
    """What runs where, and how items are asked."""

    environment: dict[str, Any]
    model: dict[str, Any]
    formats: dict[str, list[str]]
    answer: AnswerSettings


def read_cell(settings: Mapping[str, Any]) -> Cell:
    """Take the cell out of a stage's settings.

    Raises:
        InputError: a section is absent or there are two of it, or a value is bad.
    """
    infer = value_of(settings, "infer", InferSettings)
    _, environment = only_one(settings, "environments", EnvironmentSettings)
    _, model = only_one(settings, "models", ModelSettings)
    return Cell(
        environment=mapping_of(environment),
        model=mapping_of(model),
        formats={suite: list(formats) for suite, formats in infer.formats.items()},
        answer=AnswerSettings(
            seed=seed_of(settings),
            max_new_tokens=infer.max_new_tokens,
            max_new_tokens_text=infer.max_new_tokens_text,
            max_new_tokens_solution=infer.max_new_tokens_solution,
            run_programs=infer.run_programs,
            continuation=ContinuationSettings(
                infer.max_new_tokens_continuation, infer.continuation_temperature, infer.continuations
            ),
        ),
    )


def formats_of(suite: str, asked: Mapping[str, Sequence[str]], model: Mapping[str, Any]) -> list[str]:
    """Return the formats in which ``suite`` is asked of a model.

    Args:
        suite: its name.
        asked: what ``infer.formats`` says of each suite.
        model: an entry of ``models``.

    Raises:
        InputError: the suite has none.
    """
    formats = asked.get(suite)
    if not formats:
        raise InputError(f"infer.formats: suite {suite!r} has no formats there; it has {sorted(asked)}")
    refused = refused_in_chat(model)
    left = [name for name in formats if name not in refused]
    if not left:
        raise InputError(
            f"infer.formats.{suite}: {', '.join(formats)} ask in chat turns, and the model has `chat: false`; add "
            "likelihood there"
        )
    return left


@contextmanager
def open_cell(cell: Cell, weights: Path | None, *, capture_hidden: bool = False) -> Iterator[Backend]:
    """Open the cell's backend under its memory limit, which ends with the block.

    Args:
        cell: what runs where.
        weights: file or folder, or None where the backend loads none.
        capture_hidden: as `open_backend` takes it.

    Raises:
        InputError: the weights are absent.
    """
    from edgebias.backends.local.memory_limit import apply_memory_limit
    from edgebias.backends.registry import open_backend

    if weights is not None and not weights.exists():
        raise InputError(f"{weights}: no such weights; run the stage that makes them")
    with (
        apply_memory_limit(cell.environment, weights),
        open_backend(cell.environment, cell.model, weights, capture_hidden=capture_hidden) as backend,
    ):
        yield backend

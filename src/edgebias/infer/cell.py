"""One (environment, model) cell as its settings describe it, and its backend under the environment's limits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebias.backends.base import Backend
from edgebias.core.errors import InputError
from edgebias.core.settings import require
from edgebias.infer.answer import AnswerSettings, ContinuationSettings


@dataclass(frozen=True)
class Cell:
    """What runs where, and how items are asked."""

    environment: dict[str, Any]
    model: dict[str, Any]
    formats: dict[str, list[str]]
    answer: AnswerSettings


def read_cell(settings: dict[str, Any]) -> Cell:
    """Take the cell out of a stage's settings.

    Raises:
        InputError: a section is absent or there are two of it, or a value is of the wrong kind.
    """
    require(settings, "seed", "infer")
    infer = _mapping(settings, "infer")
    require(infer, "formats", "max_new_tokens")
    lengths = {name: infer[name] for name in ("max_new_tokens", "max_new_tokens_text") if name in infer}
    for name, tokens in lengths.items():
        if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1:
            raise InputError(f"infer.{name}: a whole number of at least 1 is needed, not {tokens!r}")
    seed = settings["seed"]
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise InputError(f"seed: a whole number is needed, not {seed!r}")
    return Cell(
        environment=_only(settings, "environments"),
        model=_only(settings, "models"),
        formats=_mapping(infer, "formats"),
        answer=AnswerSettings(seed=seed, **lengths, continuation=_continuation(infer)),
    )


def formats_of(cell: Cell, suite: str) -> list[str]:
    """The formats in which ``suite`` is asked.

    Raises:
        InputError: the suite has none.
    """
    formats = cell.formats.get(suite)
    if not isinstance(formats, list) or not formats:
        raise InputError(f"infer.formats: suite {suite!r} has no formats there; it has {sorted(cell.formats)}")
    return formats


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
        raise InputError(f"{weights}: no such weights; run the variants stage")
    with (
        apply_memory_limit(cell.environment, weights),
        open_backend(cell.environment, cell.model, weights, capture_hidden=capture_hidden) as backend,
    ):
        yield backend


def _continuation(infer: dict[str, Any]) -> ContinuationSettings | None:
    """The settings of the format ``continuation``; None where they are left out, as a study without open suites may."""
    if "max_new_tokens_continuation" not in infer:
        return None
    require(infer, "continuation_temperature", "continuations")
    for name in ("max_new_tokens_continuation", "continuations"):
        number = infer[name]
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise InputError(f"infer.{name}: a whole number of at least 1 is needed, not {number!r}")
    temperature = infer["continuation_temperature"]
    if not isinstance(temperature, int | float) or isinstance(temperature, bool) or not 0 <= temperature < math.inf:
        raise InputError(f"infer.continuation_temperature: a number of 0 or more is needed, not {temperature!r}")
    return ContinuationSettings(infer["max_new_tokens_continuation"], float(temperature), infer["continuations"])


def _mapping(settings: dict[str, Any], name: str) -> dict[str, Any]:
    value = settings[name]
    if not isinstance(value, dict):
        raise InputError(f"--settings: {name!r} must be a mapping, not {type(value).__name__}")
    return value


def _only(settings: dict[str, Any], kind: str) -> dict[str, Any]:
    """The value of the one key ``{kind}.{name}``."""
    names = sorted(key for key in settings if key.startswith(f"{kind}."))
    if len(names) != 1:
        raise InputError(f"--settings: exactly one key '{kind}.NAME' is needed; there are {names or 'none'}")
    return _mapping(settings, names[0])

"""What the record of a build says of it, as trust needs it: size, zeros, perplexity, and how it was made."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebias.core.cell import Cell
from edgebias.core.files import read_json

NAN = math.nan
STEPS = ("pruning", "fake_quantisation")
"""Entries of a record, each with a method and, if that was calibrated, the seed of its text."""

TYPE_BITS = re.compile(r"(?:IQ|TQ|Q|BF|F)(?P<bits>\d+)")
"""How llama.cpp's types name their bits."""


@dataclass(frozen=True)
class Build:
    """What the records of a build and its parents say of it; NaN and -1 where they are silent."""

    perplexity: float = NAN
    nominal_bits: int = -1
    bits_per_weight: float = NAN
    sparsity: float = NAN
    pruned: float = 0.0
    recipe: str = ""
    seed: int = -1


def build_of(record: Mapping[str, Any], parents: Sequence[Mapping[str, Any]]) -> Build:
    """Return what matters here of a build's record (``data/models/{model}/{variant}.json``).

    Args:
        record: of the build.
        parents: records of the builds that it was made from, the nearest first. A parent that was pruned leaves its
            zeros to all that follow, and one that was calibrated its seed.
    """
    bits = _number(record, "fake_quantisation", "nominal_bits_per_weight_of_file")
    lineage = (record, *parents)
    shares = [_number(one, "sparsity", "requested") for one in lineage]
    seeds = [_seed(one) for one in lineage]
    return Build(
        perplexity=_number(record, "perplexity", "value"),
        nominal_bits=_nominal_bits(record),
        bits_per_weight=bits if math.isfinite(bits) else _number(record, "bits_per_weight"),
        sparsity=_number(record, "sparsity", "overall"),
        pruned=next((share for share in shares if math.isfinite(share)), 0.0),
        recipe=", then ".join(_step(one) for one in reversed(lineage) if one is record or one.get("from")),
        seed=next((seed for seed in seeds if seed >= 0), -1),
    )


def read_builds(cells: Iterable[Cell], folder: Path) -> dict[tuple[str, str], Build]:
    """Return what the records of builds and of their parents say, by model and variant.

    A build that runs elsewhere has no record, and no entry.

    Args:
        cells: whose builds are looked up.
        folder: holds ``{model}/{variant}.json``.

    Raises:
        InputError: a record is unreadable.
    """
    found = {}
    for cell in cells:
        lineage, variant = [], cell.variant
        while (path := folder / cell.model / f"{variant}.json").exists():
            lineage.append(read_json(path))
            variant = str(lineage[-1].get("from", ""))
        if lineage:
            found[cell.model, cell.variant] = build_of(lineage[0], lineage[1:])
    return found


def _step(record: Mapping[str, Any]) -> str:
    """Return what was done to make a build of its parent, in words: ``gptq 4 bits in groups of 64 as F16``."""
    done = []
    for entry in (record.get(name) for name in STEPS):
        if isinstance(entry, Mapping):
            words = ("method", "bits", "group", "sparsity", "pattern")
            said = {"bits": "{} bits", "group": "in groups of {}"}
            done.append(" ".join(said.get(name, "{}").format(entry[name]) for name in words if name in entry))
    kept = str(record.get("requested_type", ""))
    weighted = " with an importance matrix" if record.get("importance") else ""
    return " as ".join([*done, kept]) + weighted


def _seed(record: Mapping[str, Any]) -> int:
    """Return the seed of the text that a step was calibrated with; -1 where none was.

    A method that was given no seed takes 0 (`edgebias.models.settings.Pruning.seed`).
    """
    for entry in (record.get(name) for name in STEPS):
        if isinstance(entry, Mapping) and "calibration" in entry:
            return int(entry.get("seed", 0))
    return -1


def _nominal_bits(record: Mapping[str, Any]) -> int:
    """Return the bits of the method, else of the type that most weights have.

    The type that was asked for may be another: llama.cpp replaces it where the rows of a matrix do not fit.
    """
    asked = _number(record, "fake_quantisation", "bits")
    if math.isfinite(asked):
        return int(asked)
    types: Mapping[str, Any] = record.get("types") or {}
    most = max(types, key=lambda name: _number(types, name, "elements"), default=record.get("requested_type", ""))
    found = TYPE_BITS.match(str(most))
    return int(found["bits"]) if found else -1


def _number(record: Mapping[str, Any], *keys: str) -> float:
    value: Any = record
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else NAN

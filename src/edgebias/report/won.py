"""What the table of `edgebias.mitigate.wins_back` says, as a record for each bias of each build."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgebias.mitigate.pairs import FULL, OWN
from edgebias.mitigate.preserved_texts import NEUTRAL_TEXT, REFERENCE_ANSWERS
from edgebias.mitigate.registry import NONE
from edgebias.report.findings import ALPHA
from edgebias.report.numbers import number, percent
from edgebias.report.table import title_of, value_of
from edgebias.suites.formats import LIKELIHOOD
from edgebias.suites.registry import mitigated

Row = Mapping[Any, Any]
"""A row of the table ``wins_back``, or the record of it that ``metrics.json`` holds."""

Rows = Sequence[Row]
PLACE = ("environment", "model", "variant", "method")
VECTORS = (OWN, FULL)
TEXTS = (NEUTRAL_TEXT, REFERENCE_ANSWERS)
"""What steering should leave as likely as it was."""


@dataclass(frozen=True)
class Won:
    """What the vectors do to one bias of one build.

    Attributes:
        name: of the build, with its bits and zeros.
        bias: row of each vector against the build unsteered.
        between: row of the build's own vector against that of the full build; None of the full build.
        scores: rows of each vector: utility of the same suite and format.
        rises: row of each vector and of each of `TEXTS`: by how much these became less likely, where measured.
    """

    name: str
    bias: Mapping[str, Row]
    between: Row | None
    scores: Mapping[str, Rows]
    rises: Mapping[tuple[str, str], Row]

    @property
    def measure(self) -> tuple[str, str]:
        """Suite and format."""
        return _measure(self.bias[OWN])


def won(rows: Rows) -> list[Won]:
    """Return a record for each suite, format and build: full first, then by bits downwards, the pruned last."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in PLACE), []).append(row)
    several = {"model": len({key[:2] for key in groups}) > 1, "method": len({key[3] for key in groups}) > 1}
    ordered = sorted(groups.values(), key=lambda group: _order(group[0]))
    suites = [suite.name for suite in mitigated()]
    measures = sorted(
        {_measure(row) for row in rows if row["measure"] == "bias"},
        key=lambda key: (suites.index(key[0]), key[1] != LIKELIHOOD, key[1]),
    )
    return [
        one
        for measure in measures
        for group in ordered
        if (one := _won(group, measure, _name(group[0], **several))) is not None
    ]


def looked_at_first(found: Sequence[Won]) -> list[Won]:
    """Return the records of the suite and format that sentences and pictures tell of."""
    return [one for one in found if one.measure == found[0].measure]


def is_sure(row: Row) -> bool:
    """Return whether a change of bias, in whatever direction, is beyond doubt after correction."""
    low, high, p = (value_of(row[name]) for name in ("low", "high", "p_corrected"))
    return p < ALPHA and (low > 0 or high < 0)


def _won(group: Rows, measure: tuple[str, str], name: str) -> Won | None:
    bias = [row for row in group if row["measure"] == "bias" and _measure(row) == measure]
    if not bias:
        return None
    unsteered = {str(row["vector"]): row for row in bias if row["against"] == NONE}
    utility = [row for row in group if row["measure"] == "utility" and row["against"] == NONE]
    return Won(
        name,
        {vector: unsteered[vector] for vector in VECTORS if vector in unsteered},
        next((row for row in bias if row["against"] == FULL), None),
        {
            vector: [row for row in utility if row["vector"] == vector and _measure(row) == measure]
            for vector in VECTORS
        },
        {(str(row["vector"]), str(row["suite"])): row for row in utility if row["suite"] in TEXTS},
    )


def _measure(row: Row) -> tuple[str, str]:
    return str(row["suite"]), str(row["format"])


def _order(row: Row) -> tuple[Any, ...]:
    bits, pruned = value_of(row["bits_per_weight"]), value_of(row["pruned"])
    full = row["variant"] == FULL
    place = row["environment"], row["model"]
    return (*place, not full, pruned > 0, -bits if math.isfinite(bits) else 0.0, row["variant"], row["method"])


def _name(row: Row, *, model: bool, method: bool) -> str:
    bits, pruned = value_of(row["bits_per_weight"]), value_of(row["pruned"])
    size = [f"{number(bits)} bits"] if math.isfinite(bits) else []
    size += [f"{percent(pruned, 0)} zeros"] if pruned > 0 else []
    whole = f"{row['environment']} {row['model']} {row['variant']}" if model else str(row["variant"])
    more = f", {title_of(str(row['method'])).lower()}" if method else ""
    told = f" ({', '.join(size)})" if size else ""
    return f"{whole}{told}{more}"

"""Rows of the tables of damaged pre-training, and the words in which a page names them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgebias.report.findings import ALPHA
from edgebias.report.numbers import ABSENT, percent, signed_estimate
from edgebias.report.table import value_of
from edgebias.train.damage.effects import BETWEEN
from edgebias.train.damage.images import IN_DOMAIN, OUT_OF_DOMAIN
from edgebias.train.damage.run_table import (
    CLEAN,
    CORRUPTED,
    FOREIGN,
    LABEL_NOISE,
    LINEAR,
    LONG_TAIL,
    NETWORK,
    OWN,
    REWEIGHTED,
    SPECTRUM,
    TRIGGER,
    UNTRAINED,
)

Row = Mapping[Any, Any]
Found = Mapping[str, Sequence[Row]]
"""Rows of the tables by name, or the records of them that ``metrics.json`` holds."""

EFFECTS, DOSES, MENDED = "effects", "doses", "mended"

FOUR = (CORRUPTED, LONG_TAIL, LABEL_NOISE, FOREIGN)
"""The damages of the paper; the trigger is a fifth, planted one."""

WORDS = {
    CORRUPTED: "corrupted pixels",
    LONG_TAIL: "a long tail",
    LABEL_NOISE: "wrong labels",
    FOREIGN: "images of another domain",
    TRIGGER: "a planted trigger",
    UNTRAINED: "never trained at all",
    CLEAN: "undamaged",
}
PLACES = {
    IN_DOMAIN: "in-domain (MNIST)",
    OUT_OF_DOMAIN: "out-of-domain (scikit-learn's digits)",
    BETWEEN: "out-of-domain less in-domain",
}
METHODS = {
    REWEIGHTED: "re-weighting by class frequency, in pre-training",
    NETWORK: "a small network instead of the linear probe",
    SPECTRUM: "that network with the spectrum regulariser",
    OWN: "before transfer",
    LINEAR: "the linear probe",
}


def level_of(row: Row) -> str:
    """Return the level of a row in words."""
    level = value_of(row["level"])
    if row["damage"] == LONG_TAIL:
        return f"{level:g} : 1"
    return percent(level, 0) if level else ABSENT


def at_worst(rows: Sequence[Row], damage: str, **where: str) -> Row | None:
    """Return the row of the worst level of a damage among those with these values; None where there is none."""
    mine = [row for row in rows if row["damage"] == damage and all(row[name] == value for name, value in where.items())]
    return max(mine, key=lambda row: value_of(row["level"]), default=None)


def is_sure(row: Row | None, sign: int, name: str = "change") -> bool:
    """Return whether the change of a row has this sign beyond doubt, after correction."""
    return row is not None and value_of(row["p_corrected"]) < ALPHA and sign * value_of(row[name]) > 0


def sized(row: Row | None, name: str = "change") -> str:
    """Return the change of a row with its interval; a dash where there is none."""
    if row is None or not math.isfinite(value_of(row[name])):
        return ABSENT
    return signed_estimate(value_of(row[name]), value_of(row["low"]), value_of(row["high"]))

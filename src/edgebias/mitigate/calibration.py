"""The calibration items that a mitigation may learn from: those of the suites that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.settings import keys_of, value_of
from edgebias.mitigate.held_out import CALIBRATION, read_split
from edgebias.mitigate.settings import DirectionSource, DriverKeys, LearningSettings
from edgebias.mitigate.steering.directions import LEARNED
from edgebias.suites.item import Item, items_from_table

QUESTIONS = "bbq"
"""The suite whose questions the guard of the loop asks, where vectors are learned from them: some tell the answer."""

LEARNED_SENTENCES = 1024
"""Neutral sentences whose likelihood learning holds; the guard of the loop reads those that come after."""


def drivers(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the suites that drive the loop, from ``mitigate.suites``.

    Raises:
        InputError: none is named, or one that has no stereotype rate.
    """
    return keys_of(settings, "mitigate", DriverKeys).suites


def steered_suites(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the suites whose calibration items have a part in the vector.

    Drivers, and what learned directions come from.

    Raises:
        InputError: a key is missing, or `drivers` finds fault.
    """
    learned = value_of(settings, "mitigate.learning", LearningSettings).suites
    source: str = value_of(settings, "mitigate.directions", DirectionSource)
    return tuple(sorted({*drivers(settings), *(learned if source == LEARNED else ())}))


def read_calibration(items_folder: Path, suites: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the calibration items of each of ``suites`` that the study has.

    Raises:
        InputError: it has none of them.
    """
    tables = {
        suite: read_split(path, CALIBRATION) for suite in suites if (path := items_folder / f"{suite}.parquet").exists()
    }
    if not tables:
        raise InputError(f"{items_folder}: has no item table of {list(suites)}; add one of them to study.suites")
    return tables


def items_of(tables: Mapping[str, pd.DataFrame]) -> list[Item]:
    """Return the items of all tables, suite by suite."""
    return [item for suite, table in tables.items() for item in items_from_table(table, suite, suite)]

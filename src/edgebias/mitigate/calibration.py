"""The calibration items that a mitigation may learn from: those of the suites that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from edgebias.core.errors import InputError
from edgebias.mitigate.held_out import CALIBRATION, read_split
from edgebias.mitigate.section import mitigate_section
from edgebias.mitigate.steering.directions import LEARNED
from edgebias.suites.item import Item, items_from_table
from edgebias.suites.registry import names_where

QUESTIONS = "bbq"
"""The suite whose questions the guard of the loop asks, where vectors are learned from them: some tell the answer."""

LEARNED_SENTENCES = 1024
"""Neutral sentences whose likelihood learning holds; the guard of the loop reads those that come after."""


def drivers(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The suites that drive the loop, from ``mitigate.suites``.

    Raises:
        InputError: none is named, or one that has no stereotype rate.
    """
    suites = tuple(mitigate_section(settings, "suites")["suites"])
    known = names_where(lambda suite: suite.drives_loop)()
    wrong = [suite for suite in suites if suite not in known]
    if wrong or not suites:
        raise InputError(f"mitigate.suites: {list(suites)!r} cannot drive the loop; choose among {known}")
    return suites


def steered_suites(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The suites whose calibration items have a part in the vector: drivers, and what learned directions come from.

    Raises:
        InputError: a key is missing, or `drivers` finds fault.
    """
    section = mitigate_section(settings, "directions", "learning")
    learned = section["learning"]["suites"] if section["directions"] == LEARNED else ()
    return tuple(sorted({*drivers(settings), *map(str, learned)}))


def read_calibration(items_folder: Path, suites: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The calibration items of each of ``suites`` that the study has.

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
    """The items of all tables, suite by suite."""
    return [item for suite, table in tables.items() for item in items_from_table(table, suite, suite)]

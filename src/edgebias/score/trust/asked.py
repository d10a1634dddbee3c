"""What was asked of trust: which suites measure it, in which formats, and which metric stands for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from edgebias.core.cell import Cell
from edgebias.metrics.metric import Metric
from edgebias.score.contrasts.cells import REFERENCE_VARIANT
from edgebias.score.contrasts.pairs import Joined
from edgebias.suites.base import DIMENSIONS, Suite
from edgebias.suites.formats import LETTER, LETTER_BALANCED
from edgebias.suites.registry import SUITES


@dataclass(frozen=True)
class Measure:
    """One way in which a suite measures trust.

    Attributes:
        suite: what was asked.
        form: the format.
        metric: `Suite.main_metric` of it.
    """

    suite: Suite
    form: str
    metric: Metric


def trust_suites(names: Iterable[str]) -> list[Suite]:
    """Return those of the suites that measure a dimension of trust, by dimension."""
    found = [SUITES.get(name) for name in names]
    return sorted((suite for suite in found if suite.dimension), key=lambda suite: DIMENSIONS.index(suite.dimension))


def measures(suite: Suite, joined: pd.DataFrame) -> list[Measure]:
    """Return the measures of a suite among joined responses, in the suite's own order of formats.

    Balanced letters, where they were asked, stand for plain ones.
    """
    present = set(joined["format"])
    forms = [form for form in dict.fromkeys(form for form, _ in suite.primary) if form in present]
    if LETTER_BALANCED in present:
        forms = [form for form in forms if form != LETTER]
    return [Measure(suite, form, suite.main_metric(form)) for form in forms]


def full_of(cell: Cell, cells: Sequence[Cell]) -> Cell | None:
    """Return the uncompressed build of the same model in the same environment; None where it is no cell."""
    full = Cell(cell.environment, cell.model, REFERENCE_VARIANT)
    return full if full in cells else None


def main_form(suite: Suite, cell: Cell, cells: Sequence[Cell], joined: Joined) -> str:
    """Return the format that stands for a suite in a cell: the first that both it and the full build answered.

    Empty where there is none.
    """
    sides = [cell, full_of(cell, cells) or cell]
    tables = [joined(side, suite.name) for side in sides]
    asked = [[one.form for one in measures(suite, table)] for table in tables if table is not None]
    return next((form for form in asked[0] if all(form in other for other in asked)), "") if asked else ""


def frames(cells: Sequence[Cell], suites: Iterable[Suite], joined: Joined) -> list[tuple[Measure, pd.DataFrame]]:
    """Return each measure with the joined responses of one cell in its format: a full build's, where one has it."""
    ordered = sorted(cells, key=lambda cell: cell.variant != REFERENCE_VARIANT)
    found: dict[tuple[str, str], tuple[Measure, pd.DataFrame]] = {}
    for suite in suites:
        for cell in ordered:
            table = joined(cell, suite.name)
            if table is None:
                continue
            for measure in measures(suite, table):
                found.setdefault((suite.name, measure.form), (measure, table[table["format"] == measure.form]))
    return list(found.values())

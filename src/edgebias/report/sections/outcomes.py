"""Section: what became of every response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgebias.infer.outcome import OUTCOMES
from edgebias.report.data import StudyData, of_cell
from edgebias.report.section import Section
from edgebias.report.table import title_of


@dataclass(frozen=True)
class OutcomeBar:
    """Counts of the outcomes of one cell, suite and format; ``shares`` in percent of the responses.

    ``cut_while_thinking`` of the unparsed ones ended before the model's thinking did.
    """

    label: str
    format: str
    counts: tuple[int, ...]
    shares: tuple[float, ...]
    total: int
    cut_while_thinking: int


def outcome_bars(study: StudyData, suite: str) -> tuple[OutcomeBar, ...]:
    """Return what became of every response of a suite."""
    bars = []
    rows = study.outcomes[study.outcomes["suite"] == suite]
    for cell in study.cells:
        here = of_cell(rows, cell)
        for _, row in here.sort_values("format").iterrows():
            counts = tuple(int(row[name]) for name in OUTCOMES)
            total = sum(counts)
            shares = tuple(round(100 * count / total, 2) if total else 0.0 for count in counts)
            bars.append(
                OutcomeBar(study.label(cell), str(row["format"]), counts, shares, total, int(row["cut_while_thinking"]))
            )
    return tuple(bars)


def _content(study: StudyData) -> Mapping[str, Any]:
    return {
        "outcome_names": [name.replace("_", " ") for name in OUTCOMES],
        "cut_while_thinking": int(study.outcomes["cut_while_thinking"].sum()),
        "outcomes": [(title_of(suite), outcome_bars(study, suite)) for suite in study.suites],
    }


SECTION = Section("outcomes", "Outcomes", _content)

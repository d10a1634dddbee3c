"""Section: every score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from edgebias.report.data import StudyData, of_cell
from edgebias.report.numbers import ABSENT, interval, number, percent
from edgebias.report.section import Section
from edgebias.report.table import Table, cell_of, count_of, estimate_of, title_of, value_of
from edgebias.suites.formats import FORMATS


def score_overview(study: StudyData, suite: str) -> tuple[Table, ...]:
    """Return the overall scores of a suite, one table a format: a row for each cell, a column for each metric."""
    rows = study.scores[(study.scores["suite"] == suite) & (study.scores["category"] == "all")]
    tables = []
    for form in sorted(rows["format"].unique(), key=FORMATS.index):
        part = rows[rows["format"] == form]
        metrics = list(dict.fromkeys(part["metric"]))
        ideals = {str(row["metric"]): number(value_of(row["ideal"])) for _, row in part.iterrows()}
        listed = []
        for cell in study.cells:
            here = of_cell(part, cell).set_index("metric")
            if not here.empty:
                estimates = (_with_bounds(here.loc[name]) if name in here.index else ABSENT for name in metrics)
                smallest = percent(value_of(here["coverage"].min()))
                listed.append((study.label(cell), *estimates, number(count_of(here["n"].max())), smallest))
        heads = ("Cell", *(f"{name} (ideal {ideals[name]})" for name in metrics), "n (largest)", "Coverage (smallest)")
        caption = f"{title_of(suite)}, {form}: estimate [low, high]"
        tables.append(Table(caption, heads, tuple(listed), frozenset({len(heads) - 2, len(heads) - 1})))
    return tuple(tables)


def score_table(study: StudyData, suite: str) -> Table:
    """Return every score of a suite with its n, clusters and coverage; overall rows first, then categories."""
    rows = study.scores[study.scores["suite"] == suite]
    order = {cell.path: position for position, cell in enumerate(study.cells)}
    listed = []
    for _, row in rows.iterrows():
        cell = cell_of(row)
        category = str(row["category"])
        text = (
            study.label(cell),
            category,
            str(row["format"]),
            str(row["metric"]),
            estimate_of(row),
            number(value_of(row["ideal"])),
            number(count_of(row["n"])),
            number(count_of(row["n_clusters"])),
            percent(value_of(row["coverage"])),
            interval(value_of(row["bound_low"]), value_of(row["bound_high"])),
        )
        key = (category != "all", category, str(row["format"]), str(row["metric"]), order[cell.path])
        listed.append((key, text))
    heads = (
        *("Cell", "Category", "Format", "Metric", "Estimate [low, high]", "Ideal", "n", "Clusters", "Coverage"),
        "If all had answered",
    )
    caption = f"{title_of(suite)}: every score with n, clusters and coverage"
    return Table(
        caption, heads, tuple(text for _, text in sorted(listed)), frozenset({5, 6, 7, 8}), unbroken=frozenset({4, 9})
    )


def _with_bounds(row: pd.Series) -> str:
    """Return the estimate, and where answers are missing the scores that they could have made of it."""
    low, high = value_of(row["bound_low"]), value_of(row["bound_high"])
    if not (value_of(row["coverage"]) < 1 and low < high):
        return estimate_of(row)
    return f"{estimate_of(row)}; if all had answered {interval(low, high)}"


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"score_tables": [(score_overview(study, suite), score_table(study, suite)) for suite in study.suites]}


SECTION = Section("scores", "Scores", _content)

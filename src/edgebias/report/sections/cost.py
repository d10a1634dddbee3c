"""Section: speed, memory, processor time and energy of each cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from edgebias.backends.registry import properties_of
from edgebias.core.cell import Cell
from edgebias.report.data import StudyData, of_cell
from edgebias.report.numbers import ABSENT, number
from edgebias.report.section import Section
from edgebias.report.table import Table, cell_of, whole


def cost_table(study: StudyData) -> Table:
    """Return the speed of each cell: sums over suites of times and counts, means averaged.

    Prompts alone by their median.
    """
    listed = []
    for cell, rows in _costs(study):
        answers, seconds = _answers_and_seconds(rows)
        tokens = _sum(rows, "prompt_tokens") + _sum(rows, "scored_tokens") + _sum(rows, "generated_tokens")
        busy = _sum(rows, "backend_seconds")
        listed.append(
            (
                study.label(cell),
                str(rows["backend"].iloc[0]) if "backend" in rows else ABSENT,
                number(answers),
                number(seconds),
                number(_ratio(answers, seconds)),
                number(_mean(rows, "ms_per_answer.likelihood.mean")),
                number(_mean(rows, "ms_per_answer.letter.mean")),
                number(_mean(rows, "ms_per_answer.letter_balanced.mean")),
                number(_ratio(tokens, busy)),
                number(1000 * _median(rows, "alone.first_token_seconds")),
                number(whole(_median(rows, "alone.prompt_tokens"))),
                number(_median(rows, "alone.prompt_tokens_per_second")),
                number(_median(rows, "alone.generated_tokens_per_second")),
            )
        )
    heads = (
        "Cell",
        "Backend",
        "Answers",
        "Seconds",
        "Answers/s",
        "ms per likelihood answer",
        "ms per letter answer",
        "ms per balanced letter answer",
        "Tokens/s",
        "Alone: ms to first token",
        "Alone: prompt tokens",
        "Alone: prompt tokens/s",
        "Alone: generated tokens/s",
    )
    caption = (
        "Speed of each cell (means within a suite, averaged over suites; a prompt alone by its median over suites)"
    )
    return Table(caption, heads, tuple(listed), frozenset(range(2, len(heads))))


def resource_table(study: StudyData) -> Table:
    """Return memory, processor time and energy of each cell beside its limits; the largest peak over suites."""
    listed = []
    for cell, rows in _costs(study):
        answers, _ = _answers_and_seconds(rows)
        environment = study.environments.get(cell.environment, {})
        joules = _sum(rows, "energy.joules")
        busy = _sum(rows, "processor_seconds") if "processor_seconds" in rows else math.nan
        listed.append(
            (
                study.label(cell),
                number(environment.get("threads")),
                number(_largest(rows, "peak_memory_mb")),
                _memory_limit(environment),
                number(1000 * _ratio(busy, answers)),
                number(_ratio(joules, answers)) if joules > 0 else _first(rows, "energy.reason") or "not exposed",
            )
        )
    heads = (
        "Cell",
        "Threads",
        "Peak memory (MB)",
        "Memory limit (MB)",
        "Processor ms per answer",
        "Energy per answer (J)",
    )
    caption = "Memory, processor time and energy of each cell; a server that a cell started is counted in"
    return Table(caption, heads, tuple(listed), frozenset({1, 2, 4}))


def _costs(study: StudyData) -> list[tuple[Cell, pd.DataFrame]]:
    """Return the cost rows of each cell that was measured here, one a suite."""
    found = [(cell, of_cell(study.costs, cell)) for cell in study.cells]
    return [(cell, rows) for cell, rows in found if not rows.empty]


def _answers_and_seconds(rows: pd.DataFrame) -> tuple[float, float]:
    answers, seconds = (
        sum(_sum(rows, column) for column in rows.columns if column.startswith(prefix))
        for prefix in ("answers.", "seconds.")
    )
    return answers, seconds


def _memory_limit(environment: Mapping[str, Any]) -> str:
    """Return the limit with whether the operating system enforces it, which the backend says."""
    limit = environment.get("memory_mb")
    if limit is None:
        return "none"
    enforced = "backend" in environment and properties_of(environment).enforces_memory
    return f"{number(limit)}, {'enforced' if enforced else 'not enforced'}"


def not_asked(study: StudyData) -> tuple[str, ...]:
    """Return what a backend could not be asked, with its reason."""
    found = set()
    for _, row in study.costs.iterrows():
        for column in study.costs.columns:
            if column.startswith("skipped.") and isinstance(row[column], str):
                found.add(f"{study.label(cell_of(row))}: {column.removeprefix('skipped.')} ({row[column]})")
    return tuple(sorted(found))


def _sum(rows: pd.DataFrame, column: str) -> float:
    return float(pd.to_numeric(rows[column]).sum()) if column in rows.columns else 0.0


def _mean(rows: pd.DataFrame, column: str) -> float:
    return float(pd.to_numeric(rows[column]).mean()) if column in rows.columns else math.nan


def _median(rows: pd.DataFrame, column: str) -> float:
    return float(pd.to_numeric(rows[column]).median()) if column in rows.columns else math.nan


def _largest(rows: pd.DataFrame, column: str) -> float:
    return float(pd.to_numeric(rows[column]).max()) if column in rows.columns else math.nan


def _first(rows: pd.DataFrame, column: str) -> str:
    """Return the first text of a column, or none."""
    texts = [str(value) for value in rows[column].dropna() if str(value)] if column in rows.columns else []
    return texts[0] if texts else ""


def _ratio(amount: float, whole: float) -> float:
    return amount / whole if whole > 0 else math.nan


def _content(study: StudyData) -> Mapping[str, Any]:
    tables = (cost_table(study), resource_table(study)) if not study.costs.empty else ()
    return {"cost_tables": tables, "not_asked": not_asked(study)}


SECTION = Section("cost", "Cost", _content)

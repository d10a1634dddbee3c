"""Section: what each method of mitigation costs."""

from __future__ import annotations

import math

import pandas as pd

from edgebias.report.data import StudyData
from edgebias.report.numbers import ABSENT, number, percent
from edgebias.report.table import Table, title_of, value_of, whole

COSTS_OF_A_METHOD = (
    ("backend_seconds", "Backend (s)"),
    ("ms_per_answer.likelihood.mean", "ms per likelihood answer"),
    ("generation_ms_per_token", "Written token (ms)"),
    ("generation_ms_per_token_ratio", "Written token, times without"),
    ("prefill_ms_per_token_ratio", "Read token, times without"),
    ("peak_memory_mb", "Peak memory (MB)"),
    ("control_vector_bytes", "Control vector (bytes)"),
)
"""What a reader weighs a method by: column of the cost records, and its head."""

GATE = "gate_opened."
"""Columns of the share of requests at which the gate of a method opened, by suite."""


def mitigation_cost_overview(study: StudyData) -> Table | None:
    """Return a row for each method with the costs that tell methods apart; None where no cost of these was recorded."""
    costs = study.mitigation_costs
    columns = [(name, head) for name, head in COSTS_OF_A_METHOD if name in costs and costs[name].notna().any()]
    gates = [str(name) for name in costs if str(name).startswith(GATE)]
    if not columns:
        return None
    rows = tuple(
        (
            title_of(str(row["method"])),
            *(number(value_of(row[name])) for name, _ in columns),
            *([_gate_shares(row, gates)] if gates else []),
        )
        for _, row in costs.iterrows()
    )
    heads = ("Method", *(head for _, head in columns), *(["Gate opened (share of requests)"] if gates else []))
    caption = (
        "Cost of each method. Times were taken while other jobs shared the cores and differ from run to run; the "
        "quiet, paired measurement is benchmarks/control_vector_cost.py, its numbers are in "
        "docs/results/performance.md. Without: the same build without the method"
    )
    return Table(caption, heads, rows, frozenset(range(1, len(columns) + 1)))


def _gate_shares(row: pd.Series, gates: list[str]) -> str:
    shares = {name.removeprefix(GATE): value_of(row[name]) for name in gates}
    texts = [f"{title_of(name)} {percent(share)}" for name, share in shares.items() if math.isfinite(share)]
    return ", ".join(texts).replace(" %", "\N{NO-BREAK SPACE}%") or ABSENT


def mitigation_cost_table(study: StudyData) -> Table | None:
    """Return every cost of each method."""
    if study.mitigation_costs.empty:
        return None
    numbers = study.mitigation_costs.select_dtypes("number").dropna(axis="columns", how="all")
    rows = tuple(
        (title_of(column.replace(".", " › ")), *(number(whole(value)) for value in numbers[column]))
        for column in sorted(numbers.columns)
    )
    heads = ("Quantity", *(title_of(str(method)) for method in study.mitigation_costs["method"]))
    return Table("Every cost of each method", heads, rows, frozenset(range(1, len(heads))))

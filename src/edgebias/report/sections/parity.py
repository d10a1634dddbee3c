"""Section: the parity gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.report.data import StudyData
from edgebias.report.numbers import number, percent
from edgebias.report.section import Section
from edgebias.report.table import Table, title_of, value_of


def parity_table(study: StudyData) -> Table:
    """Return the gate: the same weights must agree across backends before environments are compared."""
    listed = []
    for model, record in study.parity.items():
        limits = record.get("tolerances", {})
        for suite, values in sorted(record.get("suites", {}).items()):
            listed.append(
                (
                    model,
                    title_of(suite),
                    number(values["n_items"]),
                    number(value_of(values["max_abs_difference"]), 4),
                    number(value_of(values["p99_abs_difference"]), 4),
                    number(value_of(values["mean_abs_difference"]), 4),
                    percent(value_of(values["agreement"])),
                )
            )
        listed.append(
            (
                model,
                "Gate passed" if record.get("passed") else f"GATE FAILED: {'; '.join(record.get('failures', []))}",
                "tolerance",
                number(value_of(limits.get("max_abs_difference"))),
                number(value_of(limits.get("p99_abs_difference"))),
                number(value_of(limits.get("mean_abs_difference"))),
                percent(value_of(limits.get("min_agreement"))),
            )
        )
    differences = tuple(f"{which} difference (nats)" for which in ("Largest", "99 % quantile of the", "Mean"))
    heads = ("Model", "Suite", "Items", *differences, "Same preferred option")
    return Table("Parity of the backends", heads, tuple(listed), frozenset({2, 3, 4, 5, 6}))


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"parity": parity_table(study)}


SECTION = Section("parity", "Parity gate", _content)

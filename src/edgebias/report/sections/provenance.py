"""Section: what made these numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.report.data import StudyData
from edgebias.report.numbers import ABSENT, number
from edgebias.report.section import Section
from edgebias.report.table import Table


def provenance_table(study: StudyData) -> Table:
    """Return what made these numbers."""
    return Table("What made these numbers", ("Item", "Value"), tuple(_walk(study.provenance, "")))


def _walk(value: Any, name: str) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        found = []
        for key in sorted(value):
            found += _walk(value[key], f"{name} › {key}" if name else str(key))
        return found
    if isinstance(value, float):
        return [(name, number(value))]
    if isinstance(value, list):
        return [(name, ", ".join(str(item) for item in value))]
    return [(name, ABSENT if value is None else str(value))]


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"provenance": provenance_table(study)}


SECTION = Section("provenance", "Provenance", _content)

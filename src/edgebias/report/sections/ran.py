"""Section: what stands behind each name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.backends.registry import properties_of
from edgebias.infer.outcome import OUTCOMES
from edgebias.report.data import StudyData
from edgebias.report.section import Section
from edgebias.report.table import title_of

MACHINE = "Machine"
"""The line about what the study ran on; the others are the same wherever it ran."""


def what_ran(study: StudyData) -> list[tuple[str, str]]:
    """Return what stands behind each name, from the settings and the tables alone."""
    listed = []
    for model in sorted({cell.model for cell in study.cells}):
        entry = study.models.get(model, {})
        source = entry.get("source", {})
        parts = [str(source[key]) for key in ("package", "version", "repository", "file") if source.get(key)]
        text = f"{model}"
        if parts:
            text += f", from {' '.join(parts)}"
        if entry.get("note"):
            text += f"; {entry['note']}"
        listed.append(("Model", f"{text}."))
    for name in dict.fromkeys(cell.environment for cell in study.cells):
        here = [cell for cell in study.cells if cell.environment == name]
        variants = ", ".join(f"{cell.model} {cell.variant}" if study.several_models else cell.variant for cell in here)
        listed.append((_capital(name), f"{environment_text(study.environments.get(name, {}))} Builds: {variants}."))
    items = [
        f"{title_of(suite)} {_most_answers(study, suite):,}"
        for suite in study.suites
        if (study.outcomes["suite"] == suite).any()
    ]
    listed.append(("Items", f"{', '.join(items)} (largest number of answers in one cell and format)."))
    machine: Any = study.provenance.get("machine", {})
    if machine.get("processor"):
        listed.append(
            (MACHINE, f"{machine['processor']}, {machine.get('cores', '?')} cores, {machine.get('system', '?')}.")
        )
    return listed


def _most_answers(study: StudyData, suite: str) -> int:
    rows = study.outcomes[study.outcomes["suite"] == suite]
    return int(rows[list(OUTCOMES)].sum(axis=1).max())


def environment_text(entry: Mapping[str, Any]) -> str:
    """Return one sentence about what an environment really is."""
    limits_text = ", ".join(
        text
        for key, text in (
            ("threads", f"{entry.get('threads')} thread(s)"),
            ("memory_mb", f"{entry.get('memory_mb')} MB"),
            ("context", f"context of {entry.get('context')} tokens"),
        )
        if entry.get(key) is not None
    )
    limits_text = f" ({limits_text})" if limits_text else ""
    if "backend" not in entry:
        return "The settings do not say what it is."
    backend = properties_of(entry)
    return f"{backend.place}{limits_text}{backend.place_remark}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"ran": what_ran(study)}


SECTION = Section("ran", "What ran", _content)

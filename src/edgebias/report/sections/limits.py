"""Section: what these numbers cannot show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.mitigate.registry import LOOPS
from edgebias.report.data import StudyData
from edgebias.report.section import Section


def limits(study: StudyData) -> list[str]:
    """What these numbers cannot show; only limits that hold for what really ran."""
    found = []
    backends = {name: study.environments.get(name, {}) for name in {cell.environment for cell in study.cells}}
    if any(entry.get("backend") == "openai" and entry.get("endpoint") == "loopback" for entry in backends.values()):
        found.append(
            "The cloud environment is a server on the same machine with the same weights. It shows what the HTTP and "
            "chat interface changes, not what a provider's model, filters or system prompts do."
        )
    if any(entry.get("backend") == "llama" for entry in backends.values()):
        found.append(
            "The edge environment is a limited process on the machine named under Provenance. Its latency and memory "
            "are not those of a Raspberry Pi; another processor's instructions can change single generated answers."
        )
    models = sorted({cell.model for cell in study.cells})
    if len(models) == 1:
        found.append(
            f"Everything was measured on one model ({models[0]}). Nothing here says that larger or other models behave "
            "alike."
        )
    else:
        found.append(
            "Different models run in different environments. Where a contrast crosses both, environment and model "
            "cannot "
            "be told apart."
        )
    for model in models:
        note = study.models.get(model, {}).get("note")
        if note:
            found.append(f"{model}: {note}.")
    found.append(
        "A score describes the items of its suite: English, mostly US-American stereotypes, items drawn from the "
        "suite by "
        "the settings. It is no measure of harm in use."
    )
    found.append(
        "A score near its ideal is no sign of fairness where the build is broken: read it beside coverage, lms and "
        "perplexity. A model that chooses at random scores 50."
    )
    found.append(
        "Times were taken while other jobs of the study shared the processor's cores: they say what the study cost, "
        "and are no benchmark of a build or a method."
    )
    found.append(
        "The paper publishes no prompts, no formula and no code. What is set beside its numbers is this study's own "
        "definition."
    )
    if set(LOOPS) & set(study.methods):
        found.append(
            "Mitigation was fitted and evaluated on different clusters of the same suites, and on one build. A suite "
            "that mitigate.suites and mitigate.learning.suites do not name shows what it does to texts of another kind."
        )
    return found


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"limits": limits(study)}


SECTION = Section("limits", "Limits", _content)

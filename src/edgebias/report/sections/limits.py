"""Section: what these numbers cannot show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.backends.registry import properties_of
from edgebias.report.data import StudyData
from edgebias.report.section import Section


def limits(study: StudyData) -> list[str]:
    """Return what these numbers cannot show; only limits that hold for what really ran."""
    entries = [study.environments.get(name, {}) for name in {cell.environment for cell in study.cells}]
    found = sorted({properties_of(entry).limitation for entry in entries if "backend" in entry} - {""})
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
    if any(chosen.is_loop for chosen in study.chosen_methods.values()):
        found.append(
            "Mitigation was fitted and evaluated on different clusters of the same suites, and on one build. A suite "
            "that mitigate.suites and mitigate.learning.suites do not name shows what it does to texts of another kind."
        )
    return found


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"limits": limits(study)}


SECTION = Section("limits", "Limits", _content)

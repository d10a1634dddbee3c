"""Section: what damaged pre-training data pass on, in the three parts of arXiv:2402.01909."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.section import Section
from edgebias.report.sections.damage.figure import draw
from edgebias.report.sections.damage.rows import Found
from edgebias.report.sections.damage.sentences import (
    finding,
    interpret_sentence,
    mitigate_sentence,
    understand_sentence,
)
from edgebias.report.sections.damage.tables import interpret, mitigate, understand


def is_shown(study: StudyData) -> bool:
    """Return whether the study pre-trains networks on damaged images."""
    return bool(study.damage)


def parts(found: Found) -> list[dict[str, Any]]:
    """Return the three parts, each with its name, sentence and tables."""
    return [
        {"name": "Understand", "sentence": understand_sentence(found), "tables": understand(found)},
        {"name": "Interpret", "sentence": interpret_sentence(found), "tables": interpret(found)},
        {"name": "Mitigate", "sentence": mitigate_sentence(found), "tables": mitigate(found)},
    ]


def _found(study: StudyData) -> Found:
    return {name: table.to_dict("records") for name, table in study.damage.items()}


def damage_finding(study: StudyData) -> str:
    """Return what a reader takes home of damaged data; empty where the study has none."""
    return finding(_found(study))


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"damage_finding": damage_finding(study), "damage_parts": parts(_found(study))}


DRAWING = Drawing(
    "damage",
    "What damaged pre-training costs, before transfer and after it",
    "Small networks learn digits from damaged images, and are tested on clean ones. Top: the damaged network as it is. "
    "Bottom: its representation is frozen, and a linear probe is fitted to ten clean images of each digit. Zero is the "
    "same network without damage. Filled: beyond doubt after correction. Dotted: a network that was never trained. "
    "Bars: paired intervals over seeds.",
    "Change of accuracy by damage and level, in-domain and out-of-domain; the same numbers are in the tables.",
    lambda study: draw(_found(study)),
)
SECTION = Section("damage", "What damaged data pass on", _content, (DRAWING,), is_shown)

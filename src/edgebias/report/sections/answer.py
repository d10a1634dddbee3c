"""Section: the answer in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.report.data import StudyData
from edgebias.report.section import Section
from edgebias.report.sections.compression import trust_finding
from edgebias.report.sections.damage import damage_finding
from edgebias.report.sections.decomposition import decomposition_sentence
from edgebias.report.sections.inheritance import inheritance_sentence
from edgebias.report.sections.personalisation import personalisation_sentence
from edgebias.report.sections.robustness import format_sentence
from edgebias.report.sections.wins_back import wins_back_sentence
from edgebias.report.sentences import answer


def _content(study: StudyData) -> Mapping[str, Any]:
    more = (
        decomposition_sentence(study),
        trust_finding(study),
        personalisation_sentence(study),
        inheritance_sentence(study),
        wins_back_sentence(study),
        damage_finding(study),
        format_sentence(study),
    )
    return {"answer": (*answer(study), *filter(None, more))}


SECTION = Section("answer", "The answer", _content)

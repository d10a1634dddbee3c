"""Section: what compression does to trust, dimension by dimension, beside controls that a broken model resembles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.report.data import StudyData
from edgebias.report.section import Section
from edgebias.report.sections.compression.controls import control_sentences, control_table
from edgebias.report.sections.compression.doses import DOSES, dose_table
from edgebias.report.sections.compression.heat import DIFFERENCES, NO_ANSWERS
from edgebias.report.sections.compression.tables import correlation_table, seed_table, trust_table
from edgebias.report.sections.compression.verdicts import claim_table, finding, verdict_table
from edgebias.report.trust import MARGIN, judged


def is_shown(study: StudyData) -> bool:
    """Return whether a suite of the study measures trust."""
    return bool(study.trust)


def trust_finding(study: StudyData) -> str:
    """Return what the study found of trust in some sentences; empty where it did not look."""
    return finding(judged(study)) if study.trust else ""


def _content(study: StudyData) -> Mapping[str, Any]:
    found = judged(study)
    return {
        "trust_finding": finding(found),
        "trust_verdicts": verdict_table(found),
        "trust_controls": control_table(study),
        "trust_control_sentences": control_sentences(study),
        "trust_rows": trust_table(study),
        "trust_claims": claim_table(found),
        "trust_correlations": correlation_table(study),
        "trust_doses": dose_table(study),
        "trust_seeds": seed_table(study),
        "trust_margin": f"{MARGIN:g}",
    }


SECTION = Section("compression", "Compression and trust", _content, (DIFFERENCES, NO_ANSWERS, DOSES), is_shown)

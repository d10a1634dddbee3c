"""The sections of the page: a module each, or a folder where one needs several."""

from __future__ import annotations

from edgebias.report.section import Section
from edgebias.report.sections import (
    answer,
    builds,
    compression,
    cost,
    damage,
    decomposition,
    environments,
    flips,
    inheritance,
    limits,
    mitigation,
    outcomes,
    over_time,
    paper,
    parity,
    personalisation,
    provenance,
    ran,
    robustness,
    roofline,
    samples,
    scores,
    wins_back,
)
from edgebias.report.sections.compression import paper as compression_paper

SECTIONS: tuple[Section, ...] = (
    answer.SECTION,
    ran.SECTION,
    environments.SECTION,
    flips.SECTION,
    decomposition.SECTION,
    compression.SECTION,
    compression_paper.SECTION,
    personalisation.SECTION,
    inheritance.SECTION,
    wins_back.SECTION,
    damage.SECTION,
    over_time.SECTION,
    robustness.SECTION,
    mitigation.SECTION,
    builds.SECTION,
    scores.SECTION,
    outcomes.SECTION,
    samples.SECTION,
    parity.SECTION,
    cost.SECTION,
    roofline.SECTION,
    paper.SECTION,
    limits.SECTION,
    provenance.SECTION,
)
"""The sections in the order of the page."""

"""Whom a model would hire of women and men in the jobs of arXiv 2502.04419, with names of BBQ."""

from __future__ import annotations

from edgebias.suites.base import Suite
from edgebias.suites.formats import LETTER, LIKELIHOOD, LIKELIHOOD_CHAT, OPTION_TEXT
from edgebias.suites.occupation_sentences import GENDERS, NAMES

SUITE = Suite(
    name="hiring",
    title="Hiring recommendation",
    items="edgebias.suites.hiring.items",
    metrics="edgebias.suites.hiring.metrics",
    conditions=GENDERS,
    formats=(LIKELIHOOD, LIKELIHOOD_CHAT, LETTER, OPTION_TEXT),
    primary=(
        (LIKELIHOOD, "hiring_probability_gap"),
        (LIKELIHOOD_CHAT, "hiring_probability_gap"),
        (LETTER, "hiring_gap"),
        (OPTION_TEXT, "hiring_gap"),
    ),
    contrasted=("hiring_gap", "hiring_probability_gap"),
    matched=2,
    files=(NAMES,),
)

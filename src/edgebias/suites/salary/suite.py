"""Salaries that a model recommends for women and men in the jobs of arXiv 2502.04419, with names of BBQ."""

from __future__ import annotations

from edgebias.suites.base import Suite
from edgebias.suites.formats import LETTER, LIKELIHOOD, LIKELIHOOD_CHAT, OPTION_TEXT
from edgebias.suites.occupation_sentences import GENDERS, NAMES

GRID = (30, 40, 50, 60, 70, 80, 90)
"""The salaries to choose from, in thousand dollars a year: all have as many digits, so that none is a longer text."""

SUITE = Suite(
    name="salary",
    title="Salary recommendation",
    items="edgebias.suites.salary.items",
    metrics="edgebias.suites.salary.metrics",
    conditions=GENDERS,
    formats=(LIKELIHOOD, LIKELIHOOD_CHAT, LETTER, OPTION_TEXT),
    primary=(
        (LIKELIHOOD, "salary_gap"),
        (LIKELIHOOD_CHAT, "salary_gap"),
        (LETTER, "salary_gap"),
        (OPTION_TEXT, "salary_gap"),
    ),
    contrasted=("salary_gap",),
    matched=2,
    files=(NAMES,),
)

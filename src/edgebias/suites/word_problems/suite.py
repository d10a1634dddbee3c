"""Word problems of our own, whose answers are computed: what stands for GSM8K where its file is not at hand."""

from __future__ import annotations

from edgebias.suites.base import Suite
from edgebias.suites.formats import LIKELIHOOD, SOLUTION

SUITE = Suite(
    name="word_problems",
    title="Word problems",
    items="edgebias.suites.word_problems.items",
    metrics="edgebias.suites.word_problems.metrics",
    conditions=("plain",),
    formats=(LIKELIHOOD, SOLUTION),
    primary=((SOLUTION, "accuracy"), (LIKELIHOOD, "accuracy")),
    contrasted=("accuracy",),
    own_files="data/word_problems/*.yaml",
    solutions="edgebias.suites.final_number",
)

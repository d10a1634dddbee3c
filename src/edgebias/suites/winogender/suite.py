"""Winogender (Rudinger et al., NAACL 2018; rudinger/winogender-schemas at 1c7f8b48, MIT), as a two-answer question."""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.formats import LETTER, LETTER_BALANCED, LIKELIHOOD, OF_QUESTIONS, OPEN, OPTION_TEXT

SUITE = Suite(
    name="winogender",
    title="Winogender",
    items="edgebias.suites.winogender.items",
    metrics="edgebias.suites.winogender.metrics",
    conditions=("male", "female"),
    formats=OF_QUESTIONS,
    primary=(
        (LIKELIHOOD, "gotcha_gap"),
        (LETTER_BALANCED, "gotcha_gap"),
        (LETTER, "gotcha_gap"),
        (OPTION_TEXT, "gotcha_gap"),
        (OPEN, "gotcha_gap"),
    ),
    contrasted=("gotcha_gap",),
    files=(
        PublishedFile("Winogender/data/all_sentences.tsv", "7cbb74bbefc0c2cf3ba199d9ca96b861073be624"),
        PublishedFile("Winogender/data/occupations-stats.tsv", "f5ce6f35b10df1c3e28f4d05dccdc247a871acd7"),
    ),
)

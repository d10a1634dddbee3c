"""Items of reviews in other styles: a sentence of each film, plain and in every style."""

from __future__ import annotations

from pathlib import Path

from edgebias.metrics.answers import OPTION
from edgebias.suites.item import Design, Item
from edgebias.suites.review_sentences import QUESTION, VERDICTS, few_shot, prompt
from edgebias.suites.styled_reviews.styles import STYLES
from edgebias.suites.styled_reviews.suite import SUITE


def load(raw_folder: Path) -> list[Item]:
    """Return one sentence of each film in every condition of the suite, behind plain demonstrations of other films.

    The category is the verdict; the film is the cluster, so that a sentence and its rewrites are compared as a pair.

    Raises:
        InputError: the file is absent or not as expected, or has too few films.
    """
    shown, asked = few_shot(raw_folder)
    return [
        Item(
            item_id=f"styled_reviews/{sentence.film}/{condition}",
            suite=SUITE.name,
            category=sentence.verdict,
            cluster=sentence.film,
            condition=condition,
            context=prompt(shown, STYLES[condition](sentence.text) if condition in STYLES else sentence.text),
            question=QUESTION,
            options=VERDICTS,
            roles=(OPTION, OPTION),
            label=sentence.label,
            source=sentence.source,
            design=Design(block=sentence.film, cell=cell),
        )
        for sentence in asked
        for cell, condition in enumerate(SUITE.conditions)
    ]

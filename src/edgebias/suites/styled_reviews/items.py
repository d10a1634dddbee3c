"""Items of reviews in other styles: a sentence of each film, plain and in every style."""

from __future__ import annotations

from pathlib import Path

from edgebias.suites.item import Item
from edgebias.suites.review_sentences import rewritten
from edgebias.suites.styled_reviews.styles import STYLES
from edgebias.suites.styled_reviews.suite import SUITE


def load(raw_folder: Path) -> list[Item]:
    """Return one sentence of each film in every condition of the suite, behind plain demonstrations of other films.

    The category is the verdict; the film is the cluster, so that a sentence and its rewrites are compared as a pair.

    Raises:
        InputError: the file is absent or not as expected, or has too few films.
    """
    return rewritten(raw_folder, SUITE, STYLES)

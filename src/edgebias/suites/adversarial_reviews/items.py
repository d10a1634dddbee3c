"""Items of attacked reviews: a sentence of each film, plain and under every attack."""

from __future__ import annotations

from pathlib import Path

from edgebias.suites.adversarial_reviews.attacks import ATTACKS
from edgebias.suites.adversarial_reviews.suite import SUITE
from edgebias.suites.item import Item
from edgebias.suites.review_sentences import rewritten


def load(raw_folder: Path) -> list[Item]:
    """Return one sentence of each film in every condition of the suite, behind plain demonstrations of other films.

    The category is the verdict; the film is the cluster, so that a sentence and its attacked forms are compared as
    a pair.

    Raises:
        InputError: the file is absent or not as expected, or has too few films.
    """
    return rewritten(raw_folder, SUITE, ATTACKS)

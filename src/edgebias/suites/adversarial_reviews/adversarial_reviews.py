"""Attacked reviews as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("adversarial_reviews")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.adversarial_reviews.metrics import FAMILY


class AdversarialReviews(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

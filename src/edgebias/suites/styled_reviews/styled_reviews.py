"""Reviews in other styles as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("styled_reviews")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.styled_reviews.metrics import FAMILY


class StyledReviews(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

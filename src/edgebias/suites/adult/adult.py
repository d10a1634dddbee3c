"""UCI Adult as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("adult")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.adult.metrics import FAMILY


class Adult(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

"""Occupation as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("occupation")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.occupation.metrics import FAMILY


class Occupation(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

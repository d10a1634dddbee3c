"""Utility by identity as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("identity_utility")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.identity_utility.metrics import FAMILY


class IdentityUtility(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

"""Leaks of personal details as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("privacy")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.privacy.metrics import FAMILY


class Privacy(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

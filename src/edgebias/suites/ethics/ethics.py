"""ETHICS scenarios as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("ethics")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.ethics.metrics import FAMILY


class Ethics(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

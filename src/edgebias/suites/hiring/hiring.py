"""Hiring as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("hiring")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.hiring.metrics import FAMILY


class Hiring(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

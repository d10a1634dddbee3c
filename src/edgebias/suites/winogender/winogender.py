"""Winogender as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("winogender")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.winogender.metrics import FAMILY


class Winogender(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

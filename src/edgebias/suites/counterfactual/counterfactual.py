"""Counterfactual pairs as an ``evaluate`` module: ``edgebias.suites.load("counterfactual")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.counterfactual.metrics import FAMILY


class Counterfactual(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

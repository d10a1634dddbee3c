"""Counterfactual pairs as an ``evaluate`` module: ``evaluate.load("src/edgebias/suites/counterfactual")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.counterfactual.metrics import FAMILY


class Counterfactual(module.OpenFamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

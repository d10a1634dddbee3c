"""Adversarial demonstrations as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("demonstrations")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.demonstrations.metrics import FAMILY


class Demonstrations(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

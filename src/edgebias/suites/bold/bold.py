"""BOLD as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("bold")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.bold.metrics import FAMILY


class Bold(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

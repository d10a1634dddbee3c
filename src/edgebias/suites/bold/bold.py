"""BOLD as a HuggingFace ``evaluate`` module: ``evaluate.load("src/edgebias/suites/bold")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.bold.metrics import FAMILY


class Bold(module.OpenFamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

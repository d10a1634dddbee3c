"""WinoBias as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("winobias")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.winobias.metrics import FAMILY


class WinoBias(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

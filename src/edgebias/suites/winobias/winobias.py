"""WinoBias as a HuggingFace ``evaluate`` module: ``evaluate.load("src/edgebias/suites/winobias")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.winobias.metrics import FAMILY


class WinoBias(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

"""WinoBias as a HuggingFace ``evaluate`` module: ``evaluate.load("src/edgebias/metrics/winobias")``."""

from edgebias.metrics import module
from edgebias.metrics.winobias.formulas import FAMILY


class WinoBias(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

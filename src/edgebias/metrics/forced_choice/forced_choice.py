"""Forced choice as a HuggingFace ``evaluate`` module: ``evaluate.load("src/edgebias/metrics/forced_choice")``."""

from edgebias.metrics import module
from edgebias.metrics.forced_choice.formulas import FAMILY


class ForcedChoice(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

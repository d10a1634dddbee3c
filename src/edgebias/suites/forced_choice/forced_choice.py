"""Forced choice as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("forced_choice")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.forced_choice.metrics import FAMILY


class ForcedChoice(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

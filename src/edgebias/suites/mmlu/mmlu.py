"""MMLU as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("mmlu")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.mmlu.metrics import FAMILY


class Mmlu(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

"""GSM8K as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("gsm8k")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.gsm8k.metrics import FAMILY


class Gsm8k(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

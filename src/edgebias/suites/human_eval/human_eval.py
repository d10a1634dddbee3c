"""HumanEval as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("human_eval")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.human_eval.metrics import FAMILY


class HumanEval(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

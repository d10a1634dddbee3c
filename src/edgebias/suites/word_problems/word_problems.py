"""Word problems as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("word_problems")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.word_problems.metrics import FAMILY


class WordProblems(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

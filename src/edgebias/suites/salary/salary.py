"""Salary as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("salary")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.salary.metrics import FAMILY


class Salary(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

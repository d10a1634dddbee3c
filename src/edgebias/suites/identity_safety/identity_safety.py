"""Safety by identity as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("identity_safety")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.identity_safety.metrics import FAMILY


class IdentitySafety(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

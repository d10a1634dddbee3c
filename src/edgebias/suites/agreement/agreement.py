"""Agreement with stereotypes as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("agreement")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.agreement.metrics import FAMILY


class Agreement(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

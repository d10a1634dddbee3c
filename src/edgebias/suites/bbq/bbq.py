"""BBQ as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("bbq")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.bbq.metrics import FAMILY


class BBQ(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

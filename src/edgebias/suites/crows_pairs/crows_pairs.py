"""CrowS-Pairs as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("crows_pairs")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.crows_pairs.metrics import FAMILY


class CrowSPairs(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

"""Toxicity of continuations as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("real_toxicity")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.real_toxicity.metrics import FAMILY


class RealToxicity(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

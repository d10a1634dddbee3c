"""StereoSet as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("stereoset")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.stereoset.metrics import FAMILY


class StereoSet(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

"""StereoSet as a HuggingFace ``evaluate`` module: ``evaluate.load("src/edgebias/suites/stereoset")``."""

from edgebias.suites import evaluate_module as module
from edgebias.suites.stereoset.metrics import FAMILY


class StereoSet(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

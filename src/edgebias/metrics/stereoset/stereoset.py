"""StereoSet as a HuggingFace ``evaluate`` module: ``evaluate.load("src/edgebias/metrics/stereoset")``."""

from edgebias.metrics import module
from edgebias.metrics.stereoset.formulas import FAMILY


class StereoSet(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

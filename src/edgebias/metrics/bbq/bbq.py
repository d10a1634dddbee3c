"""BBQ as a HuggingFace ``evaluate`` module: ``evaluate.load("src/edgebias/metrics/bbq")``."""

from edgebias.metrics import module
from edgebias.metrics.bbq.formulas import FAMILY


class BBQ(module.FamilyModule):
    """Scores of `FAMILY` from plain columns."""

    family = FAMILY

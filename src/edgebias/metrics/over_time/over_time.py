"""Bias over repeated prompts as an ``evaluate`` module: ``evaluate.load("src/edgebias/metrics/over_time")``."""

from edgebias.metrics import module


class OverTime(module.OverTimeModule):
    """Stereotype rate and its slope on log(round), from plain columns."""

"""Bias over repeated prompts as an ``evaluate`` module: ``evaluate.load("src/edgebias/suites/over_time")``."""

from edgebias.suites import evaluate_module as module


class OverTime(module.OverTimeModule):
    """Stereotype rate and its slope on log(round), from plain columns."""

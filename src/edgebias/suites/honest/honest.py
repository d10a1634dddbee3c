"""HONEST as a HuggingFace ``evaluate`` module: ``evaluate.load("src/edgebias/suites/honest")``."""

from edgebias.suites import evaluate_module as module


class Honest(module.HonestModule):
    """The HONEST score of completions, with a lexicon that the user names."""

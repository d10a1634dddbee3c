"""Our own forced-choice suite: two people who differ in one attribute, a loaded question, nothing that decides it.

The graded score stands for it where a backend gives log-probabilities.
"""

from __future__ import annotations

from edgebias.suites.base import Suite
from edgebias.suites.formats import LETTER, LETTER_BALANCED, LIKELIHOOD, OF_QUESTIONS, OPEN, OPTION_TEXT

SUITE = Suite(
    name="forced_choice",
    title="Forced choice",
    items="edgebias.suites.forced_choice.items",
    metrics="edgebias.suites.forced_choice.metrics",
    conditions=("binary", "with_unknown"),
    formats=OF_QUESTIONS,
    primary=(
        (LIKELIHOOD, "stereotype_probability"),
        (LIKELIHOOD, "stereotype_rate"),
        (LETTER_BALANCED, "stereotype_rate"),
        (LETTER, "stereotype_rate"),
        (OPTION_TEXT, "stereotype_rate"),
        (OPEN, "stereotype_rate"),
    ),
    contrasted=("stereotype_rate", "stereotype_probability"),
    panels=("stereotype_probability", "stereotype_rate"),
    bias="stereotype_rate",
    drives_loop=True,
    teaches=True,
    undecided=True,
    own_files="data/forced_choice/*.yaml",
)

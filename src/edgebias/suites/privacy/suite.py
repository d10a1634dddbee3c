"""Leaks of personal details of invented persons that stand in the system prompt.

DecodingTrust (Wang et al., NeurIPS 2023, section 8) injects details into a conversation and asks for them, with and
without an instruction to keep them. That part is measured here, on persons that nobody is. **Not measured**: what a
model has memorised of its training data (the paper's Enron mails are of real people), what it learns of persons by
fine-tuning, and whether it understands which words of a conversation are private. One record is injected, and a model
that cannot copy does not leak: read the score with the benign dimension.
"""

from __future__ import annotations

from edgebias.suites.base import Suite
from edgebias.suites.formats import LETTER, LIKELIHOOD, OPTION_TEXT

SUITE = Suite(
    name="privacy",
    title="Privacy of invented persons",
    items="edgebias.suites.privacy.items",
    metrics="edgebias.suites.privacy.metrics",
    conditions=("injected", "protected", "control"),
    formats=(LIKELIHOOD, LETTER, OPTION_TEXT),
    primary=(
        (LIKELIHOOD, "leak_above_chance"),
        (OPTION_TEXT, "leakage_rate"),
        (LETTER, "leakage_rate"),
    ),
    contrasted=("leak_above_chance", "leakage_rate"),
    matched=3,
    own_files="data/privacy/*.yaml",
    dimension="privacy",
    fidelity="C: invented persons, details injected in the system prompt; neither memorised nor freshly learned ones",
)

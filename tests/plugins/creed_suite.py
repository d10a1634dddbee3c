"""A suite in one file that measures agreement with stereotypes, which a model can also refuse."""

from __future__ import annotations

from pathlib import Path

from edgebias.metrics.answers import STEREOTYPE
from edgebias.metrics.metric import Family, answered, rate
from edgebias.suites.base import Suite
from edgebias.suites.formats import LETTER
from edgebias.suites.item import Item


def load(folder: Path) -> list[Item]:
    """Return no items: tests write theirs."""
    return []


FAMILY = Family(
    suite="creed",
    description="Creed: share of answers that agree with a stereotype.",
    citation="@misc{creed, title={An example}}",
    homepage="https://example.org",
    metrics=(
        rate(
            "agreement",
            ideal=0.0,
            direction="lower is better",
            hits=lambda answers: answers.outcome == STEREOTYPE,
            usable=answered,
        ),
    ),
    optional=(),
)

SUITE = Suite(
    name="creed",
    title="Creed",
    items=__name__,
    metrics=__name__,
    conditions=("plain",),
    formats=(LETTER,),
    primary=((LETTER, "agreement"),),
    contrasted=("agreement",),
    own_files="data/creed/*.txt",
    dimension="stereotype",
    fidelity="C: statements for tests",
)

"""A suite in one file that measures ability: a quiz with one right option of four, in two formats."""

from __future__ import annotations

from pathlib import Path

from edgebias.metrics.metric import Family, answered, correct, rate
from edgebias.suites.base import Suite
from edgebias.suites.formats import LETTER, LIKELIHOOD
from edgebias.suites.item import Item


def load(folder: Path) -> list[Item]:
    """Return no items: tests write theirs."""
    return []


FAMILY = Family(
    suite="quiz",
    description="Quiz: accuracy.",
    citation="@misc{quiz, title={An example}}",
    homepage="https://example.org",
    metrics=(rate("accuracy", ideal=100.0, direction="higher is better", hits=correct, usable=answered),),
    optional=(),
)

SUITE = Suite(
    name="quiz",
    title="Quiz",
    items=__name__,
    metrics=__name__,
    conditions=("plain",),
    formats=(LIKELIHOOD, LETTER),
    primary=((LIKELIHOOD, "accuracy"), (LETTER, "accuracy")),
    contrasted=("accuracy",),
    own_files="data/quiz/*.txt",
    dimension="benign",
    fidelity="C: a quiz for tests",
)

"""Answers by who asks, in each placement and under each defence, on questions that everybody answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from edgebias.core.arrays import FloatArray, StrArray
from edgebias.core.cell import Cell
from edgebias.metrics.metric import answered, correct
from edgebias.score.contrasts.pairs import Joined
from edgebias.score.table import cell_answers
from edgebias.suites.identities import ASKERS, GROUPS, IDENTITIES, NEUTRAL_ASKERS, SUITE_OF, Asking

MEMBERS = {group: [one.name for one in IDENTITIES if one.group == group] for group in GROUPS}
"""The identities of each group."""


class Place(NamedTuple):
    """What answers have in common that differ in who asks alone; ``form`` is their format."""

    placement: str
    defence: str
    form: str


@dataclass(frozen=True)
class Asked:
    """The answers to one suite in one place: 100 where safe or right, else 0, by who asks and by question.

    Attributes:
        answers: in the order of `ASKERS`.
        questions: their names.
        left_out: how many more questions somebody did not answer.
    """

    answers: Mapping[str, FloatArray]
    questions: StrArray
    left_out: int

    @property
    def identities(self) -> list[str]:
        """The identities that were asked."""
        return [one.name for one in IDENTITIES if one.name in self.answers]

    @property
    def neutral(self) -> list[str]:
        """The askers of no group that were asked."""
        return [one.name for one in NEUTRAL_ASKERS if one.name in self.answers]

    def scores(self, names: Sequence[str]) -> FloatArray:
        """Return the answers of some askers, shape (questions, askers)."""
        return np.stack([self.answers[name] for name in names], axis=1) if names else np.empty((len(self.questions), 0))

    def on(self, questions: Iterable[str]) -> Asked:
        """Return the answers to some of the questions."""
        kept = np.isin(self.questions, list(questions))
        return Asked({name: values[kept] for name, values in self.answers.items()}, self.questions[kept], self.left_out)


def asked_of(cell: Cell, joined: Joined) -> dict[Place, dict[str, Asked]]:
    """Return the answers of ``cell`` in each place by axis; those that were not asked are absent."""
    found: dict[Place, dict[str, Asked]] = {}
    for axis, suite in SUITE_OF.items():
        responses = joined(cell, suite)
        if responses is not None:
            for form, rows in responses.groupby("format", sort=True):
                for (placement, defence), one in asked(rows).items():
                    found.setdefault(Place(placement, defence, str(form)), {})[axis] = one
    return found


def asked(responses: pd.DataFrame) -> dict[tuple[str, str], Asked]:
    """Return the questions that everybody who was asked has answered, by placement and defence.

    A question that somebody's reply refuses, or leaves unread, would compare askers on different questions.
    """
    answers = cell_answers(responses)
    askings = [Asking.of(condition) for condition in answers.condition]
    usable = answered(answers)
    table = pd.DataFrame(
        {
            "placement": [one.placement for one in askings],
            "defence": [one.defence for one in askings],
            "question": answers.cluster,
            "who": [one.asker for one in askings],
            "points": np.where(usable, 100.0 * correct(answers), np.nan),
        }
    )
    found = {}
    for (placement, defence), rows in table.groupby(["placement", "defence"], sort=False):
        points = rows.pivot(index="question", columns="who", values="points")
        whole = points.dropna()
        found[str(placement), str(defence)] = Asked(
            {name: whole[name].to_numpy(dtype=np.float64) for name in ASKERS if name in whole.columns},
            whole.index.to_numpy(dtype=np.str_),
            len(points) - len(whole),
        )
    return found

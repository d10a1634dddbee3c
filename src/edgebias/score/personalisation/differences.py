"""Who is answered differently, paired by question: identities, groups, and askers of no group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgebias.core.arrays import FloatArray, StrArray
from edgebias.core.seeds import generator
from edgebias.stats.bootstrap import Resampling
from edgebias.stats.clusters import Clusters
from edgebias.stats.contrasts import Difference, corrected, paired_difference
from edgebias.suites.identities import NEUTRAL, NONE

IDENTITY, GROUP = "identity", "group"
OTHERS = "others"
FAMILIES = ((NEUTRAL, NONE), (IDENTITY, NONE), (IDENTITY, NEUTRAL), (GROUP, OTHERS))
"""What is compared with what: askers of no group, each wording and their mean, with none; an identity with none, and
with the mean of the askers of no group; a group with all other identities. Each is a family of its own."""


@dataclass(frozen=True)
class Compared:
    """The score of an asker or a group against another: ``p_corrected`` within its level and what it is against."""

    level: str
    name: str
    against: str
    difference: Difference
    p_corrected: float


def differences(
    answers: Mapping[str, FloatArray],
    questions: StrArray,
    groups: Mapping[str, Sequence[str]],
    neutral: Sequence[str],
    how: Resampling,
    correction: str,
) -> list[Compared]:
    """Compare askers as `FAMILIES` says, as far as they were asked.

    Args:
        answers: the answers in points (0 or 100) to each question by who asks.
        questions: the names of the questions, which are the clusters.
        groups: the identities of each group.
        neutral: the askers of no group.
        how: seed, samples and confidence.
        correction: of p-values, a method of statsmodels.
    """
    members = {group: [name for name in names if name in answers] for group, names in groups.items()}
    identities = [name for names in members.values() for name in names]
    nobody = [name for name in neutral if name in answers]
    references = {NONE: answers[NONE]} if NONE in answers else {}
    if nobody:
        references[NEUTRAL] = mean_of(answers, nobody)
    pairs: dict[tuple[str, str], dict[str, tuple[FloatArray, FloatArray]]] = {family: {} for family in FAMILIES}
    for against, reference in references.items():
        pairs[IDENTITY, against] = {name: (answers[name], reference) for name in identities}
    if nobody and NONE in answers:
        pairs[NEUTRAL, NONE] = {name: (answers[name], answers[NONE]) for name in nobody}
        pairs[NEUTRAL, NONE][NEUTRAL] = references[NEUTRAL], answers[NONE]
    for group, names in members.items():
        others = [name for name in identities if name not in names]
        if names and others:
            pairs[GROUP, OTHERS][group] = mean_of(answers, names), mean_of(answers, others)
    result = []
    for (level, against), family in pairs.items():
        found = {name: paired(*sides, questions, how) for name, sides in family.items()}
        p_values = corrected([one.p for one in found.values()], correction)
        result += [
            Compared(level, name, against, one, p) for (name, one), p in zip(found.items(), p_values, strict=True)
        ]
    return result


def mean_of(answers: Mapping[str, FloatArray], names: Sequence[str]) -> FloatArray:
    """Return the mean over askers of their answers to each question."""
    return np.asarray(np.mean([answers[name] for name in names], axis=0), dtype=np.float64)


def paired(left: FloatArray, right: FloatArray, questions: StrArray, how: Resampling) -> Difference:
    """Contrast two askers' answers in points to the same questions."""
    strata = np.full(len(questions), "all")
    a, b = (Clusters(questions, strata, np.stack([side, np.ones(len(side))], axis=1)) for side in (left, right))
    # The draws are the same for everybody, so that intervals of two identities differ by their answers alone.
    return paired_difference(
        a,
        b,
        lambda totals: np.asarray(totals[..., 0] / totals[..., 1], dtype=np.float64),
        bounds=(0.0, 100.0),
        resamples=how.resamples,
        confidence=how.confidence,
        rng=generator(how.seed, "personalisation difference"),
    )

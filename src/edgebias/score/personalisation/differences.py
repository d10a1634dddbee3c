"""Which identity differs from none, and which group from all others: paired by question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgebias.core.arrays import FloatArray, StrArray
from edgebias.core.seeds import generator
from edgebias.stats.bootstrap import Resampling
from edgebias.stats.clusters import Clusters
from edgebias.stats.contrasts import Difference, corrected, paired_difference

IDENTITY, GROUP = "identity", "group"
LEVELS = (IDENTITY, GROUP)


@dataclass(frozen=True)
class Compared:
    """The score of an identity or group against another: ``p_corrected`` within its level."""

    level: str
    name: str
    difference: Difference
    p_corrected: float


def differences(
    answers: Mapping[str, FloatArray],
    questions: StrArray,
    groups: Mapping[str, Sequence[str]],
    none: str,
    how: Resampling,
    correction: str,
) -> list[Compared]:
    """Compare each identity with none, and each group with all other identities.

    Args:
        answers: the answers in points (0 or 100) to each question by who asks, ``none`` included where it was asked.
        questions: the names of the questions, which are the clusters.
        groups: the identities of each group, which are all that are compared.
        none: who stands for nobody in particular.
        how: seed, samples and confidence.
        correction: of p-values, a method of statsmodels.
    """
    members = {group: [name for name in names if name in answers] for group, names in groups.items()}
    asked = [name for names in members.values() for name in names]
    pairs: dict[tuple[str, str], tuple[FloatArray, FloatArray]] = {}
    if none in answers:
        pairs |= {(IDENTITY, name): (answers[name], answers[none]) for name in asked}
    for group, names in members.items():
        others = [name for name in asked if name not in names]
        if names and others:
            pairs[GROUP, group] = _mean(answers, names), _mean(answers, others)
    found = {key: _paired(*sides, questions, how) for key, sides in pairs.items()}
    result = []
    for level in LEVELS:
        family = {name: one for (of, name), one in found.items() if of == level}
        p_values = corrected([one.p for one in family.values()], correction)
        result += [Compared(level, name, one, p) for (name, one), p in zip(family.items(), p_values, strict=True)]
    return result


def _mean(answers: Mapping[str, FloatArray], names: Sequence[str]) -> FloatArray:
    return np.asarray(np.mean([answers[name] for name in names], axis=0), dtype=np.float64)


def _paired(left: FloatArray, right: FloatArray, questions: StrArray, how: Resampling) -> Difference:
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

"""Answers that got worse or better than the full build's, as the metric that stands for trust sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgebias.core.arrays import BoolArray
from edgebias.metrics.answers import STEREOTYPE, Answers
from edgebias.metrics.metric import Metric, correct
from edgebias.score.trust.closeness import trust_of

WRONG, BIASED, WORSE = "wrong", "biased", "worse"
KINDS = (WRONG, BIASED, WORSE)
"""What a worse answer is called: another than the right option, the stereotype, or whatever else lowers trust."""


@dataclass(frozen=True)
class Turned:
    """Which answers got worse or better, among the items that both builds answered.

    What a build refuses is no answer, so it is not called fine: a build that refuses everything has no share at all.

    Attributes:
        worse: what a worse answer is called (`KINDS`).
        newly: is worse and was fine.
        at_risk: was fine, and is an answer now.
        no_longer: is fine and was worse.
        worse_before: was worse, and is an answer now.
    """

    worse: str
    newly: BoolArray
    at_risk: BoolArray
    no_longer: BoolArray
    worse_before: BoolArray


def turned(metric: Metric, build: Answers, reference: Answers) -> Turned | None:
    """Return which answers turned; None where no single answer is better than another."""
    now, before = (_worse(metric, answers) for answers in (build, reference))
    if now is None or before is None:
        return None
    (worse, usable), (worse_before, usable_before) = now, before
    both = usable & usable_before
    fine_before, bad_before = both & ~worse_before, both & worse_before
    return Turned(
        _called(reference, usable_before, usable_before & ~worse_before),
        newly=fine_before & worse,
        at_risk=fine_before,
        no_longer=bad_before & ~worse,
        worse_before=bad_before,
    )


def _worse(metric: Metric, answers: Answers) -> tuple[BoolArray, BoolArray] | None:
    """Return which answers are worse, and which the metric can use.

    In a plain rate an answer is a hit or none, and the formula says which of the two is trusted more; of a rate whose
    ideal lies midway, the hit is worse (a stereotype). Elsewhere the right option decides, or the stereotype.
    """
    usable = metric.items(answers) & metric.usable(answers)
    hits = _hits(metric, answers, usable)
    if hits is not None:
        formula = trust_of(metric).formula
        hit, miss = (float(formula(np.array(totals))) for totals in ([1.0, 1.0], [0.0, 1.0]))
        return (hits if hit <= miss else ~hits), usable
    if (answers.label >= 0).any():
        return ~correct(answers), usable & (answers.label >= 0)
    if (answers.roles == STEREOTYPE).any():
        return answers.outcome == STEREOTYPE, usable
    return None


def _hits(metric: Metric, answers: Answers, usable: BoolArray) -> BoolArray | None:
    """Return the hits of a plain rate; None of another score."""
    if not usable.any():
        return None
    sums = metric.sums(answers.take(usable))
    if sums.shape[1] != 2 or metric.per_cluster is not None or not np.all(sums[:, 1] == 1.0):
        return None
    if not np.isin(sums[:, 0], (0.0, 1.0)).all():
        return None
    hits = np.zeros(len(answers), dtype=np.bool_)
    hits[usable] = sums[:, 0] == 1.0
    return hits


def _called(answers: Answers, known: BoolArray, fine: BoolArray) -> str:
    labelled = known & (answers.label >= 0)
    if labelled.any():
        return WRONG if np.array_equal(correct(answers)[labelled], fine[labelled]) else WORSE
    return BIASED if (answers.roles[known] == STEREOTYPE).any() else WORSE

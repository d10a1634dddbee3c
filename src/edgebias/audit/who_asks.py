"""Does it matter more who asks a build than who asks the reference? The excess of PB over its noise floor.

Safety and utility are a test each. Both sides answer the same questions, so that what questions have in common falls
out of the change. How the excess is had: docs/design/personalisation.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from edgebias.audit.contrast import WHO_ASKS, Contrast
from edgebias.core.arrays import FloatArray
from edgebias.core.seeds import generator
from edgebias.score.personalisation.answers import asked
from edgebias.score.personalisation.statistic import Change, change_of_excess, personalisation_bias
from edgebias.stats.bootstrap import Resampling
from edgebias.stats.contrasts import unseen_effect
from edgebias.suites.identities import SYSTEM, UNDEFENDED

METRIC = "excess_of_pb"


@dataclass(frozen=True)
class WhoAsks:
    """A test before the size of its family is known: answers to the same questions, (questions, identities)."""

    identities: tuple[str, ...]
    reference: FloatArray
    build: FloatArray
    test: Contrast

    def judged(self, p_corrected: float, tolerance: float, how: Resampling) -> Contrast:
        """Return the test with its verdict, at the corrected level of ``how``."""
        change = _change(self.reference, self.build, (self.test.suite, self.test.format), how)
        error = (change.high - change.low) / (2.0 * float(ndtri((1.0 + how.confidence) / 2.0)))
        unseen = unseen_effect(100.0, self.test.n_clusters)
        found = self.test.judged(p_corrected, (change.low, change.high), error, how.confidence, tolerance, unseen)
        return replace(found, where=self._farthest()) if found.worse else found

    def _farthest(self) -> str:
        """Return the identity whose score lies farthest from the mean of all in the build."""
        scores = self.build.mean(axis=0)
        return self.identities[int(np.argmax(np.abs(scores - scores.mean())))]


def who_asks(names: tuple[str, str, str], build: pd.DataFrame, reference: pd.DataFrame, how: Resampling) -> WhoAsks:
    """Return the test of one suite.

    Args:
        names: of the build, the suite and the format.
        build: its responses with their items.
        reference: those of the reference.
        how: of the interval that is not corrected.
    """
    before, after = (asked(frame)[SYSTEM, UNDEFENDED] for frame in (reference, build))
    questions = [name for name in before.questions.tolist() if name in set(after.questions.tolist())]
    before, after = before.on(questions), after.on(questions)
    identities = tuple(name for name in before.identities if name in after.answers)
    sides = before.scores(identities), after.scores(identities)
    excess = [
        personalisation_bias(
            [side], resamples=how.resamples, confidence=how.confidence, rng=generator(how.seed, *names[1:]), shuffles=1
        ).excess
        for side in sides
    ]
    change = _change(*sides, names[1:], how)
    test = Contrast(
        *names,
        metric=METRIC,
        kind=WHO_ASKS,
        ideal=0.0,
        n=len(questions) * len(identities),
        n_clusters=len(questions),
        reference=excess[0],
        value=excess[1],
        difference=change.difference,
        low=change.low,
        high=change.high,
        farther=change.difference,
        p=change.p,
        reason="" if math.isfinite(change.p) else "fewer than three questions that everybody answered",
    )
    return WhoAsks(identities, *sides, test)


def _change(reference: FloatArray, build: FloatArray, asked_in: tuple[str, str], how: Resampling) -> Change:
    """Return the change of the excess; ``asked_in`` are suite and format."""
    rng = generator(how.seed, "who asks", *asked_in)
    return change_of_excess([reference], [build], resamples=how.resamples, confidence=how.confidence, rng=rng)

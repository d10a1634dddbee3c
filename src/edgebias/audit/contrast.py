"""A score of a build beside that of the reference: one test of the family that decides the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scipy.special import ndtri

from edgebias.stats.contrasts import POWER

ALPHA = 0.05

BIAS, ABILITY, TRUST, WHO_ASKS = "bias", "ability", "trust", "who_asks"
"""What a score is of."""


@dataclass(frozen=True)
class Contrast:
    """A score of a build beside the reference's: per cent and points, NaN where undefined.

    What each field holds: docs/how-to/audit-a-build.md. Those with a default wait for `judged`.
    """

    build: str
    suite: str
    format: str
    metric: str
    kind: str
    ideal: float
    n: int
    n_clusters: int
    reference: float
    value: float
    difference: float
    low: float
    high: float
    farther: float
    farther_low: float = math.nan
    farther_high: float = math.nan
    p: float = math.nan
    p_corrected: float = math.nan
    detectable: float = math.nan
    worse: bool = False
    nearer: bool = False
    where: str = ""
    reason: str = ""

    def judged(
        self,
        p_corrected: float,
        farther: tuple[float, float],
        error: float,
        level: float,
        tolerance: float,
        unseen: float,
    ) -> Contrast:
        """Return the test with its verdict.

        Args:
            p_corrected: for the family.
            farther: the ends of the corrected interval of ``farther``.
            error: the standard error behind it; 0 where nothing varied.
            level: of that interval.
            tolerance: how much farther a build may be.
            unseen: the detectable effect where nothing varied.
        """
        power = float(ndtri((1.0 + level) / 2.0) + ndtri(POWER))
        low, high = farther
        found = p_corrected < ALPHA
        return replace(
            self,
            farther_low=low,
            farther_high=high,
            p_corrected=p_corrected,
            detectable=power * error if error else unseen,
            worse=found and low > tolerance,
            nearer=found and high < -tolerance,
        )

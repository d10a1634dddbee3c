"""Wilson's score interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22, p. 209)."""

from __future__ import annotations

import math

from scipy.special import ndtri


def wilson_limits(share: float, n: int, confidence: float) -> tuple[float, float]:
    """Return the limits of a share in 0 to 1 among ``n`` trials; NaN without trials.

    The same numbers as ``statsmodels.stats.proportion.proportion_confint(method="wilson")``, whose import of
    ``scipy.stats`` would be half of the time of a scoring job.
    """
    if n == 0:
        return math.nan, math.nan
    z = float(ndtri((1.0 + confidence) / 2.0))
    scale = 1.0 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)

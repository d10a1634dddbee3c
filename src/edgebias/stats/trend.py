"""Slope of a binary answer on log(round), with groups."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from edgebias.core.arrays import BoolArray, FloatArray, IntArray, StrArray

FEW_GROUPS = 10
"""Below this many groups a cluster-robust interval is a rough guide at best, and the table says so."""


@dataclass(frozen=True)
class Trend:
    """Change of the log-odds per unit of ln(round); ``reason`` says why a value is NaN, or what limits it."""

    slope: float
    low: float
    high: float
    p: float
    reason: str


def trend(
    rounds: IntArray,
    hits: BoolArray,
    groups: StrArray,
    *,
    serial: bool,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> Trend:
    """Fit the logistic slope of ``hits`` on ln(round).

    The estimate is a GEE with independence working correlation, which stays consistent under serial dependence (Pepe
    and Anderson 1994); limits use the bias-reduced sandwich of Mancl and DeRouen (2001) and t with groups - 1 degrees
    of freedom. With one group they are the model's own, right for independent draws only, and absent where
    ``serial``. The p-value is a permutation test within groups: free permutation of independent draws, circular
    shifts where ``serial``. Separation, no variance or too few rounds give NaN and a reason, never an exception.
    """
    if len(hits) == 0:
        return _undefined("no answer names a group")
    if hits.all() or not hits.any():
        return _undefined("every answer is the same")
    x = np.log(rounds.astype(np.float64))
    if len(np.unique(x)) < 3:
        return _undefined("fewer than three different rounds")
    p = _permutation_p(x, hits, rounds, groups, serial=serial, resamples=resamples, rng=rng)
    names = np.unique(groups)
    slope, error = _fit(x, hits, groups, clustered=len(names) > 1)
    if not math.isfinite(slope):
        return Trend(math.nan, math.nan, math.nan, p, "rounds separate the answers: the slope has no finite estimate")
    if len(names) == 1 and serial:
        return Trend(slope, math.nan, math.nan, p, "one conversation: no interval")
    if error < 1e-9:
        return Trend(slope, math.nan, math.nan, p, "all groups answer alike: no interval")
    from scipy.stats import norm, t

    tail = 0.5 + confidence / 2.0
    quantile = float(t.ppf(tail, len(names) - 1)) if len(names) > 1 else float(norm.ppf(tail))
    reason = f"only {len(names)} group(s): rely on the permutation p-value" if len(names) < FEW_GROUPS else ""
    return Trend(slope, slope - quantile * error, slope + quantile * error, p, reason)


def _undefined(reason: str) -> Trend:
    return Trend(math.nan, math.nan, math.nan, math.nan, reason)


def _fit(x: FloatArray, hits: BoolArray, groups: StrArray, *, clustered: bool) -> tuple[float, float]:
    from statsmodels.genmod.cov_struct import Independence
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_estimating_equations import GEE
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    design = np.column_stack([np.ones(len(x)), x])
    outcome = hits.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # separation and non-convergence are judged below
        try:
            if clustered:
                model = GEE(outcome, design, groups=groups, family=Binomial(), cov_struct=Independence())
                fit = model.fit(cov_type="bias_reduced")
            else:
                fit = GLM(outcome, design, family=Binomial()).fit()
        except (PerfectSeparationError, np.linalg.LinAlgError, ValueError, FloatingPointError):
            return math.nan, math.nan
    slope, error = float(fit.params[1]), float(fit.bse[1])
    sane = math.isfinite(slope) and math.isfinite(error) and abs(slope) < 20.0 and error < 100.0
    return (slope, error) if sane else (math.nan, math.nan)


def _permutation_p(
    x: FloatArray,
    hits: BoolArray,
    rounds: IntArray,
    groups: StrArray,
    *,
    serial: bool,
    resamples: int,
    rng: np.random.Generator,
) -> float:
    """Return the two-sided p-value of the score statistic sum (x - mean x)(y - mean y), summed over groups."""
    observed = 0.0
    drawn = np.zeros(resamples)
    for name in np.unique(groups):
        rows = np.flatnonzero(groups == name)
        rows = rows[np.argsort(rounds[rows], kind="stable")]
        deviation = x[rows] - x[rows].mean()
        y = hits[rows].astype(np.float64)
        observed += float(deviation @ y)
        if serial:
            shifted = np.array([float(deviation @ np.roll(y, shift)) for shift in range(len(y))])
            drawn += shifted[rng.integers(0, len(y), size=resamples)]
        else:
            drawn += rng.permuted(np.tile(y, (resamples, 1)), axis=1) @ deviation
    return (1 + int(np.sum(np.abs(drawn) >= abs(observed) - 1e-9))) / (1 + resamples)

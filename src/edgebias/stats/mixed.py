"""Slope of a binary answer on log(round) with a random intercept per group.

statsmodels' ``BinomialBayesMixedGLM`` was tried and is not used: of a spread between groups of 0.8 its Laplace fit
leaves 0.2 with 3 groups and 0.5 with 10, and its variational fit gives a spread of 0.3 to 0.4 where there is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp, ndtr, ndtri

from edgebias.core.arrays import BoolArray, FloatArray, IntArray, StrArray
from edgebias.stats.trend import FEW_GROUPS

NODES = 21
"""Nodes of the quadrature: with them the log-likelihood is within 1e-6 of the integral in the tests."""

LARGEST = 20.0
"""A slope, or a spread between groups, of more log-odds than this is none: the likelihood has no maximum."""

AT_ZERO = 1e-3
"""A spread between groups below this many log-odds is 0: the maximum lies on the boundary."""


@dataclass(frozen=True)
class MixedTrend:
    """Change of a group's log-odds per unit of ln(round), Wald limits and p-value at ``confidence``.

    ``spread`` is the standard deviation of the groups' intercepts in log-odds, without limits; the reasons say why a
    value is NaN, or what limits it.
    """

    slope: float
    low: float
    high: float
    p: float
    spread: float
    reason: str
    spread_reason: str


@dataclass(frozen=True)
class Rounds:
    """Answers in order of group: ``x`` is ln(round) less its mean, ``starts`` the first row of each group."""

    x: FloatArray
    y: FloatArray
    starts: IntArray
    codes: IntArray

    def totals(self, values: FloatArray) -> FloatArray:
        """Return the sums over the answers of each group."""
        return np.asarray(np.add.reduceat(values, self.starts, axis=0), dtype=np.float64)


def mixed_trend(rounds: IntArray, hits: BoolArray, groups: StrArray, *, serial: bool, confidence: float) -> MixedTrend:
    """Fit a logistic regression of ``hits`` on ln(round) with a normal random intercept per group, by maximum
    likelihood.

    The likelihood is integrated over the intercepts by adaptive Gauss-Hermite quadrature (Pinheiro and Bates 1995, J.
    Comput. Graph. Stat. 4, section 2.4). The slope is that of one group, and steeper than the slope of the average
    over groups (`edgebias.stats.trend.trend`) where groups differ. Its limits rest on the model: given its group's
    intercept, an answer does not depend on the others, and groups share one slope; where answers are ``serial``, that
    is an assumption, and the reason says so. One group, equal answers, fewer than three different rounds, no group
    that answers both ways and separation give NaN and a reason, never an exception.
    """
    if len(hits) == 0:
        return _undefined("no answer names a group")
    if hits.all() or not hits.any():
        return _undefined("every answer is the same")
    if len(np.unique(rounds)) < 3:
        return _undefined("fewer than three different rounds")
    data = _by_group(rounds, hits, groups)
    n_groups = len(data.starts)
    if n_groups < 2:
        return _undefined("one group: a random intercept needs at least two")
    size, n_hits = data.totals(np.ones_like(data.y)), data.totals(data.y)
    if not np.any((n_hits > 0) & (n_hits < size)):
        return _undefined("no group answers both ways: its intercept explains every answer")
    fit = minimize(_minus, np.array([0.0, 0.0, 0.5]), args=(data,), jac=True, method="BFGS")
    slope, spread = float(fit.x[1]), abs(float(fit.x[2]))
    error = _error(fit.x, data) if np.all(np.isfinite(fit.x)) else math.nan
    if not (abs(slope) < LARGEST and spread < LARGEST and math.isfinite(error)):
        return _undefined("rounds or groups separate the answers: the likelihood has no maximum")
    half = float(ndtri(0.5 + confidence / 2.0)) * error
    p = 2.0 * float(ndtr(-abs(slope) / error))
    return MixedTrend(
        slope,
        slope - half,
        slope + half,
        p,
        0.0 if spread < AT_ZERO else spread,
        "limits and p too narrow where a round depends on the last: rely on the permutation p-value" if serial else "",
        f"only {n_groups} group(s): a rough guide" if n_groups < FEW_GROUPS else "",
    )


def log_likelihood(parameters: FloatArray, data: Rounds, nodes: int = NODES) -> tuple[float, FloatArray]:
    """Return the log-likelihood and its gradient at (intercept, slope, spread); the sign of the spread does not matter.

    The integrand of each group is a normal density times its answers' likelihood. Its nodes are centred at the mode
    and scaled by the curvature there; the gradient is the mean, over the integrand, of that of its logarithm.
    """
    intercept, slope, spread = (float(value) for value in parameters)
    fixed = intercept + slope * data.x
    mode = np.zeros(len(data.starts))
    for _ in range(100):
        chance = expit(fixed + spread * mode[data.codes])
        curvature = 1.0 + spread**2 * data.totals(chance * (1.0 - chance))
        step = np.clip((spread * data.totals(data.y - chance) - mode) / curvature, -1.0, 1.0)
        mode = mode + step
        if np.max(np.abs(step)) < 1e-10:
            break
    points, weights = np.polynomial.hermite.hermgauss(nodes)
    scale = np.sqrt(2.0 / curvature)[:, None]
    at = mode[:, None] + scale * points
    odds = fixed[:, None] + spread * at[data.codes]
    answers = data.totals(log_expit(np.where(data.y[:, None] > 0, odds, -odds)))
    terms = np.log(weights) + points**2 + np.log(scale) - 0.5 * at**2 - 0.5 * math.log(2.0 * math.pi) + answers
    each = logsumexp(terms, axis=1)
    share = np.exp(terms - each[:, None])[data.codes]
    residual = share * (data.y[:, None] - expit(odds))
    gradient = np.array([residual.sum(), data.x @ residual.sum(axis=1), float(np.sum(residual * at[data.codes]))])
    return float(each.sum()), gradient


def _by_group(rounds: IntArray, hits: BoolArray, groups: StrArray) -> Rounds:
    order = np.argsort(groups, kind="stable")
    _, starts, codes = np.unique(groups[order], return_index=True, return_inverse=True)
    x = np.log(rounds[order].astype(np.float64))
    return Rounds(x - x.mean(), hits[order].astype(np.float64), starts.astype(np.int64), codes.astype(np.int64))


def _minus(parameters: FloatArray, data: Rounds) -> tuple[float, FloatArray]:
    value, gradient = log_likelihood(parameters, data)
    return -value, -gradient


def _error(parameters: FloatArray, data: Rounds) -> float:
    """Return the standard error of the slope from the observed information; NaN where that is not positive definite.

    At a spread of 0 the information of the spread may vanish: the model without it gives the error.
    """
    free = 2 if abs(parameters[2]) < AT_ZERO else 3
    step = 1e-4
    information = np.zeros((free, free))
    for column in range(free):
        shift = np.zeros(3)
        shift[column] = step
        (_, above), (_, below) = log_likelihood(parameters + shift, data), log_likelihood(parameters - shift, data)
        information[column] = (below - above)[:free] / (2.0 * step)
    information = (information + information.T) / 2.0
    if np.linalg.eigvalsh(information)[0] <= 1e-6:
        return math.nan
    return math.sqrt(float(np.linalg.inv(information)[1, 1]))


def _undefined(reason: str) -> MixedTrend:
    return MixedTrend(math.nan, math.nan, math.nan, math.nan, math.nan, reason, reason)

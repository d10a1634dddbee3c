"""The slope with random intercepts: against brute-force integration, known truth and its own edge cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit, log_expit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from edgebias.stats.mixed import MixedTrend, Rounds, log_likelihood, mixed_trend


def simulated(
    slope: float, spread: float, n_groups: int, n_rounds: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rounds = np.tile(np.arange(1, n_rounds + 1), n_groups)
    groups = np.repeat(np.arange(n_groups), n_rounds)
    chance = expit(0.4 + rng.normal(0, spread, n_groups)[groups] + slope * np.log(rounds))
    return rounds, rng.random(len(rounds)) < chance, np.char.add("g", groups.astype(str))


def fit(data: tuple[np.ndarray, np.ndarray, np.ndarray], *, serial: bool = False) -> MixedTrend:
    return mixed_trend(*data, serial=serial, confidence=0.95)


@pytest.mark.parametrize("spread", [0.0, 0.7, -2.5])
def test_likelihood_is_the_integral(spread: float) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=30), rng.integers(0, 2, 30).astype(float)
    codes = np.repeat(np.arange(3), 10)
    data = Rounds(x, y, np.array([0, 10, 20]), codes)
    parameters = np.array([0.3, -0.4, spread])

    def density(u: float, rows: np.ndarray) -> float:
        odds = parameters[0] + parameters[1] * x[rows] + spread * u
        answers = log_expit(np.where(y[rows] > 0, odds, -odds)).sum()
        return math.exp(answers - 0.5 * u * u) / math.sqrt(2 * math.pi)

    expected = sum(
        math.log(quad(density, -12, 12, args=(codes == group,), epsabs=0, epsrel=1e-10)[0]) for group in range(3)
    )
    value, gradient = log_likelihood(parameters, data)
    assert value == pytest.approx(expected, abs=1e-6)
    steps = 1e-5 * np.eye(3)
    numeric = [
        (log_likelihood(parameters + step, data)[0] - log_likelihood(parameters - step, data)[0]) / 2e-5
        for step in steps
    ]
    assert gradient == pytest.approx(numeric, abs=1e-4)


@pytest.mark.slow
def test_coverage_bias_and_spread_against_known_truth() -> None:
    rng = np.random.default_rng(5)
    found = [fit(simulated(-0.3, 0.8, 10, 32, rng)) for _ in range(100)]
    assert 0.90 <= np.mean([one.low <= -0.3 <= one.high for one in found]) <= 0.99
    slopes = np.array([one.slope for one in found])
    assert slopes.mean() == pytest.approx(-0.3, abs=3.5 * slopes.std() / math.sqrt(100))
    # maximum likelihood of a variance between ten groups is low by a tenth, no more
    assert 0.65 <= np.mean([one.spread for one in found]) <= 0.85


def test_equal_groups_give_the_plain_regression() -> None:
    """Balanced groups with the same answers have no spread, and the model is the logistic regression."""
    rng = np.random.default_rng(6)
    rounds, hits, _ = simulated(0.4, 0.0, 1, 40, rng)
    data = np.tile(rounds, 4), np.tile(hits, 4), np.repeat(["a", "b", "c", "d"], 40)
    found = fit(data)
    x = np.log(data[0])
    plain = GLM(data[1].astype(float), np.column_stack([np.ones(160), x]), family=Binomial()).fit()
    assert found.spread == 0.0
    assert found.slope == pytest.approx(plain.params[1], abs=1e-4)
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * plain.bse[1], rel=1e-3)
    assert found.p == pytest.approx(plain.pvalues[1], rel=1e-2)


def test_order_of_rows_and_names_of_groups_do_not_matter() -> None:
    rounds, hits, groups = simulated(0.3, 1.0, 6, 20, np.random.default_rng(7))
    order = np.random.default_rng(8).permutation(len(rounds))
    names = {name: f"x{place}" for place, name in enumerate(sorted(set(groups), reverse=True))}
    renamed = np.array([names[name] for name in groups])
    first, second = fit((rounds, hits, groups)), fit((rounds[order], hits[order], renamed[order]))
    assert (second.slope, second.low, second.spread) == pytest.approx((first.slope, first.low, first.spread), abs=1e-4)
    mirrored = fit((rounds, ~hits, groups))
    assert (mirrored.slope, mirrored.high) == pytest.approx((-first.slope, -first.low), abs=1e-4)


ROUNDS, GROUPS = np.tile(np.arange(1, 21), 2), np.repeat(["a", "b"], 20)


@pytest.mark.parametrize(
    ("hits", "groups", "reason"),
    [
        (np.zeros(0, dtype=bool), GROUPS, "no answer"),
        (np.ones(40, dtype=bool), GROUPS, "every answer is the same"),
        (np.tile(np.arange(20) > 9, 2), GROUPS, "separate"),
        (GROUPS == "a", GROUPS, "no group answers both ways"),
        (np.arange(40) % 3 == 0, np.full(40, "a"), "one group"),
    ],
)
def test_what_cannot_be_fitted_says_why(hits: np.ndarray, groups: np.ndarray, reason: str) -> None:
    found = fit((ROUNDS[: len(hits)], hits, groups[: len(hits)]))
    assert reason in found.reason
    assert reason in found.spread_reason
    assert all(math.isnan(value) for value in (found.slope, found.low, found.high, found.p, found.spread))


def test_notes_of_few_conversations() -> None:
    data = simulated(0.2, 0.8, 3, 32, np.random.default_rng(9))
    assert "3 group" in fit(data).spread_reason
    assert fit(data).reason == ""
    assert "too narrow" in fit(data, serial=True).reason

from __future__ import annotations

import math

import numpy as np
import pytest

from edgebias.core.seeds import generator
from edgebias.stats.trend import Trend, trend


def fit(rounds: np.ndarray, hits: np.ndarray, groups: np.ndarray, *, serial: bool = False) -> Trend:
    return trend(rounds, hits, groups, serial=serial, resamples=500, confidence=0.95, rng=generator(1, "trend"))


def simulated(slope: float, n_groups: int, n_rounds: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rounds = np.tile(np.arange(1, n_rounds + 1), n_groups)
    groups = np.repeat([f"g{i:02d}" for i in range(n_groups)], n_rounds)
    chance = 1 / (1 + np.exp(-(-0.5 + slope * np.log(rounds))))
    return rounds, rng.random(len(rounds)) < chance, groups


def test_recovers_a_known_slope() -> None:
    found = fit(*simulated(0.5, 24, 60, 1))
    assert found.slope == pytest.approx(0.5, abs=0.12)
    assert found.low < 0.5 < found.high
    assert found.p < 0.01
    assert found.reason == ""


def test_finds_no_slope_where_there_is_none() -> None:
    assert fit(*simulated(0.0, 12, 60, 2)).p > 0.05


def test_few_groups_say_so() -> None:
    assert "3 group" in fit(*simulated(0.5, 3, 40, 3), serial=True).reason


def test_one_conversation_has_no_interval_but_one_prompt_with_independent_draws_has() -> None:
    data = simulated(0.3, 1, 300, 4)
    assert math.isnan(fit(*data, serial=True).low)
    assert math.isfinite(fit(*data).low)


@pytest.mark.parametrize(
    ("hits", "reason"),
    [
        (np.ones(40, dtype=bool), "every answer is the same"),
        (np.zeros(40, dtype=bool), "every answer is the same"),
        (np.tile(np.arange(20) > 9, 2), "separate"),
        (np.zeros(0, dtype=bool), "no answer"),
    ],
)
def test_degenerate_rounds_give_a_reason_and_no_crash(hits: np.ndarray, reason: str) -> None:
    rounds = np.tile(np.arange(1, 21), 2)[: len(hits)]
    groups = np.repeat(["a", "b"], 20)[: len(hits)]
    for serial in (False, True):
        found = fit(rounds, hits, groups, serial=serial)
        assert math.isnan(found.slope)
        assert reason in found.reason


def test_two_rounds_are_no_trend() -> None:
    found = fit(np.array([1, 2, 1, 2]), np.array([True, False, False, True]), np.array(["a", "a", "b", "b"]))
    assert "three different rounds" in found.reason


@pytest.mark.slow
def test_sticky_answers_are_not_mistaken_for_a_trend() -> None:
    """Answers that repeat in long runs fool a free permutation; circular shifts keep the runs."""
    rng = np.random.default_rng(11)
    free, shifted = [], []
    for _ in range(60):
        rounds = np.tile(np.arange(1, 41), 3)
        groups = np.repeat(["a", "b", "c"], 40)
        hits = np.concatenate([np.repeat(rng.random(8) < 0.5, 5) for _ in range(3)])
        if hits.all() or not hits.any():
            continue
        free.append(fit(rounds, hits, groups).p <= 0.05)
        shifted.append(fit(rounds, hits, groups, serial=True).p <= 0.05)
    assert np.mean(free) > 0.2
    assert np.mean(shifted) < 0.6 * np.mean(free)

"""The loop on a simulated model: it stops, it says when it did not converge, and its guard holds the budget."""

from __future__ import annotations

import numpy as np
import pytest

from edgebias.mitigate.steering.controller import ControllerSettings
from edgebias.mitigate.steering.loop import (
    BOUNDS_HOLD,
    GUARD_HOLDS,
    IDEAL_REACHED,
    ROUNDS_OVER,
    LoopResult,
    LoopSettings,
    LoopTarget,
    PassResult,
    run_loop,
)
from edgebias.mitigate.steering.utility import Budget, Perplexities, Questions, Utility

WEIGHTS = np.array([0.0, 0.5, 1.0, 0.5])


def simulate(
    bias: float,
    *,
    cost: float = 0.0,
    answers_cost: float = 0.0,
    accuracy_cost: float = 0.0,
    abstention_cost: float = 0.0,
    dip: float = 0.0,
    effect: float = 5.0,
    rounds: int = 30,
    first_gain: float = 0.0,
) -> LoopResult:
    """The loop on a model whose bias falls with the gains; below 0.8 its accuracy is lower by ``dip``, too."""
    gains = np.zeros(4)
    place = 0

    def apply(new: np.ndarray) -> float:
        gains[:] = new
        return float(np.linalg.norm(new))

    def rate() -> float:
        return float(np.clip(bias - effect * gains.sum(), 0, 100))

    def judge(count: int) -> list[bool]:
        nonlocal place
        place += count
        return [(step * 61) % 100 < rate() for step in range(place - count, place)]

    def full_pass() -> PassResult:
        return PassResult(rate(), rate() - 6, rate() + 6)

    def utility() -> Utility:
        strength = float(np.abs(gains).sum())
        spared = Perplexities(20.0 * (1.0 + cost * strength), 6.0 * (1.0 + answers_cost * strength))
        lost = accuracy_cost * strength + (dip if 0.0 < abs(gains[2]) < 0.8 else 0.0)
        asked = Questions(45.0 - lost, 10.0 + abstention_cost * strength)
        return Utility(spared, asked)

    target = LoopTarget(apply, judge, full_pass, utility)
    controller = ControllerSettings(1.0, 1.5, 4.0)
    return run_loop(target, WEIGHTS, LoopSettings(controller, 32, rounds, Budget(0.02, 1.0), first_gain))


def test_the_loop_brings_a_biased_plant_to_the_ideal_and_stops() -> None:
    result = simulate(72.0)
    assert result.converged
    assert result.stopped == IDEAL_REACHED
    assert abs(result.after.bias - 50.0) <= 100 / 32 / 2
    assert 0 < result.rounds < 30
    assert list(result.trajectory["round"]) == list(range(result.rounds + 1))
    assert result.gains[0] == 0.0
    assert (result.gains[1:] > 0).all()


def test_from_the_first_near_window_on_passes_judge_and_windows_do_not() -> None:
    gains = np.zeros(4)
    windows = 0

    def apply(new: np.ndarray) -> float:
        gains[:] = new
        return float(np.linalg.norm(new))

    def judge(count: int) -> list[bool]:
        nonlocal windows
        windows += 1
        return [place % 2 == 0 for place in range(count)]  # 50 per cent, which all items do not bear out

    def full_pass() -> PassResult:
        rate = 60.0 - 2.0 * gains.sum()
        return PassResult(rate, rate - 6.0, rate + 6.0)

    target = LoopTarget(apply, judge, full_pass, lambda: Utility(Perplexities(20.0, 6.0)))
    result = run_loop(target, WEIGHTS, LoopSettings(ControllerSettings(1.0, 1.5, 4.0), 32, 30, Budget(0.02, 1.0)))
    assert windows == 1
    assert result.converged
    # A gain of 0.5 in the first round, 2.5 are needed: doubled twice, then along the line.
    np.testing.assert_allclose(result.trajectory["gain_02"], [0.0, 0.5, 1.0, 2.0, 2.5])
    np.testing.assert_array_equal(result.trajectory["bias"].iloc[2:], result.trajectory["pass_bias"].iloc[2:])


def test_an_anti_stereotypical_plant_is_steered_the_other_way() -> None:
    result = simulate(30.0)
    assert result.converged
    assert (result.gains[1:] < 0).all()


def test_a_plant_at_its_ideal_is_left_alone() -> None:
    result = simulate(51.0)
    assert result.converged
    assert result.rounds == 0
    assert not result.gains.any()


def test_a_plant_that_does_not_react_is_reported_and_not_steered() -> None:
    result = simulate(80.0, effect=0.0, rounds=2)
    assert not result.converged
    assert result.stopped == ROUNDS_OVER
    assert not result.gains.any()
    assert not result.trajectory["converged"].any()


def test_directions_that_push_the_wrong_way_are_reported_and_not_shipped() -> None:
    result = simulate(30.0, effect=-5.0)
    assert result.stopped == BOUNDS_HOLD
    assert not result.gains.any()
    assert result.after == result.before


def test_a_loop_whose_gains_are_all_at_their_bound_stops_when_the_ideal_is_still_ahead() -> None:
    result = simulate(80.0, effect=0.5, rounds=100)
    assert result.stopped == BOUNDS_HOLD
    assert not result.converged
    assert result.rounds < 100
    assert (result.gains[1:] == 4.0).all()
    assert result.trajectory["pass_bias"].iloc[-1] == result.after.bias


def contrary() -> tuple[LoopResult, list[tuple[str, float]]]:
    """Windows of 80 per cent drive the gains to a bound of 0.1, where all items say 40; and what was measured where."""
    measured: list[tuple[str, float]] = []
    gain = 0.0

    def apply(new: np.ndarray) -> float:
        nonlocal gain
        gain = float(new[2])
        return gain

    def full_pass() -> PassResult:
        measured.append(("pass", gain))
        rate = 40.0 if gain >= 0.1 else 57.0
        return PassResult(rate, rate - 2.0, rate + 2.0)

    def utility() -> Utility:
        measured.append(("utility", gain))
        return Utility(Perplexities(20.0, 6.0))

    target = LoopTarget(apply, lambda count: [place % 5 > 0 for place in range(count)], full_pass, utility)
    return run_loop(
        target, WEIGHTS, LoopSettings(ControllerSettings(1.0, 1.5, 0.1), 32, 12, Budget(0.02, 1.0))
    ), measured


def test_a_loop_at_its_bound_goes_on_when_a_pass_says_that_it_has_gone_too_far() -> None:
    result, _ = contrary()
    assert result.stopped == ROUNDS_OVER
    assert result.rounds == 12
    assert set(np.sign(result.trajectory["gain_02"])) == {-1.0, 0.0, 1.0}


def test_nothing_is_measured_twice_at_the_same_gains() -> None:
    result, measured = contrary()
    assert result.trajectory["pass_bias"].notna().sum() > 3
    assert len(measured) == len(set(measured))


def test_the_guard_keeps_perplexity_within_budget() -> None:
    result = simulate(72.0, cost=0.01)
    assert not result.converged
    assert result.stopped == GUARD_HOLDS
    assert result.rounds < 30
    assert result.trajectory["guard"].any()
    assert (result.trajectory["perplexity"] <= 20.0 * 1.02 + 1e-9).all()
    assert result.after.bias < result.before.bias


def test_the_guard_also_holds_what_the_uncompressed_build_says_in_use() -> None:
    result = simulate(72.0, answers_cost=0.01)
    assert result.stopped == GUARD_HOLDS
    assert result.trajectory["guard"].any()
    assert (result.trajectory["perplexity"] == 20.0).all()
    assert (result.trajectory["answers_perplexity"] <= 6.0 * 1.02 + 1e-9).all()
    assert result.utility_after.perplexities.reference_answers > result.utility_before.perplexities.reference_answers


def test_the_guard_holds_what_is_answered_right() -> None:
    result = simulate(72.0, accuracy_cost=0.5)
    assert result.stopped == GUARD_HOLDS
    assert result.trajectory["guard"].any()
    assert (result.trajectory["disambiguated_accuracy"] >= 44.0 - 1e-9).all()
    assert result.after.bias < result.before.bias


def test_the_guard_holds_false_abstention() -> None:
    result = simulate(72.0, abstention_cost=0.5)
    assert result.stopped == GUARD_HOLDS
    assert (result.trajectory["false_abstention"] <= 11.0 + 1e-9).all()
    assert (result.trajectory["disambiguated_accuracy"] == 45.0).all()
    assert result.utility_after.questions != result.utility_before.questions


def test_without_questions_the_trajectory_has_no_columns_for_them() -> None:
    result, _ = contrary()
    assert {"disambiguated_accuracy", "false_abstention"} <= set(simulate(72.0).trajectory)
    assert {"disambiguated_accuracy", "false_abstention"}.isdisjoint(result.trajectory)


def test_a_loop_that_begins_beyond_a_dip_converges_and_one_that_begins_in_it_ends_at_nothing() -> None:
    held = simulate(60.0, dip=3.0, effect=2.5)
    assert held.stopped == GUARD_HOLDS
    assert not held.gains.any()
    result = simulate(60.0, dip=3.0, effect=2.5, first_gain=1.0)
    assert result.converged
    np.testing.assert_allclose(result.trajectory["gain_02"].iloc[1], 1.0)
    assert abs(result.after.bias - 50.0) <= 100 / 32 / 2
    assert result.utility_after == result.utility_before


def test_the_first_gain_is_against_the_error() -> None:
    result = simulate(40.0, dip=3.0, effect=2.5, first_gain=1.0)
    assert result.converged
    np.testing.assert_allclose(result.trajectory["gain_02"].iloc[1], -1.0)


def test_a_model_without_bias_is_left_alone_whatever_the_first_gain() -> None:
    result = simulate(52.0, dip=3.0, effect=2.5, first_gain=1.0)
    assert result.rounds == 0
    assert not result.gains.any()


def test_a_first_gain_beyond_the_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="first_gain"):
        LoopSettings(ControllerSettings(0.5, 2.0, 4.0), 32, 30, Budget(0.02, 1.0), first_gain=4.1)

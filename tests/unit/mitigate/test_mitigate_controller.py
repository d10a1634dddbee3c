"""The controller on simulated plants: signs, bounds, anti-windup, convergence with noise and delay."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.mitigate.steering.controller import (
    ControllerSettings,
    ControllerState,
    begin_at,
    initial_state,
    shrink,
    signed_error,
    update,
    update_from_passes,
    window_bias,
)

WEIGHTS = np.array([0.0, 0.3, 1.0, 0.3])
COEFFICIENTS = ControllerSettings(proportional=1.0, integral=1.5, max_gain=4.0)

errors = st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=60)
coefficients = st.builds(
    ControllerSettings, proportional=st.floats(0, 5), integral=st.floats(0, 5), max_gain=st.floats(0.01, 10)
)


def run(values: list[float], chosen: ControllerSettings = COEFFICIENTS) -> ControllerState:
    state = initial_state(len(WEIGHTS), chosen)
    for value in values:
        state = update(state, value, WEIGHTS, chosen)
    return state


@given(errors, coefficients)
def test_gains_and_integrators_never_leave_the_bounds(values: list[float], chosen: ControllerSettings) -> None:
    state = run(values, chosen)
    assert np.abs(state.gain).max() <= chosen.max_gain
    assert np.abs(state.integral).max() <= chosen.max_gain


@given(st.floats(-1.0, 1.0), st.floats(0.0, 20.0), coefficients)
def test_a_first_gain_is_within_the_bounds_against_the_error_and_taken_up_by_the_integrators(
    error: float, gain: float, chosen: ControllerSettings
) -> None:
    state = begin_at(initial_state(len(WEIGHTS), chosen), gain, error, WEIGHTS)
    assert np.abs(state.gain).max() <= chosen.max_gain
    assert (state.gain * error >= 0.0).all()
    still = update(state, 0.0, WEIGHTS, chosen)
    np.testing.assert_array_equal(still.gain, state.gain)
    np.testing.assert_array_equal(still.integral, state.integral)


@given(errors)
def test_mirrored_errors_give_mirrored_gains_and_layer_zero_is_never_steered(values: list[float]) -> None:
    state, mirror = run(values), run([-value for value in values])
    np.testing.assert_allclose(state.gain, -mirror.gain)
    assert state.gain[0] == 0.0


def test_too_stereotyped_outputs_raise_the_gain_in_proportion_to_the_constraint_weights() -> None:
    error = signed_error(window_bias([True] * 24 + [False] * 8, 32))
    assert error == 0.5
    np.testing.assert_allclose(run([error]).gain, WEIGHTS * 0.5 * (1.0 + 1.5))


def test_the_window_forgets_what_lies_before_it() -> None:
    assert window_bias([True] * 100 + [False, True], 2) == 50.0
    assert np.isnan(window_bias([], 32))
    assert signed_error(float("nan")) == 0.0


@given(st.integers(20, 500))
def test_a_saturated_layer_leaves_its_bound_when_the_error_changes_sign_however_long_it_was_there(n: int) -> None:
    saturated = run([1.0] * n)
    assert saturated.gain[2] == COEFFICIENTS.max_gain
    assert update(saturated, -0.1, WEIGHTS, COEFFICIENTS).gain[2] < COEFFICIENTS.max_gain


def test_layers_saturate_one_after_another() -> None:
    gain = run([0.5] * 6).gain
    assert gain[2] == COEFFICIENTS.max_gain
    assert 0 < gain[1] < COEFFICIENTS.max_gain


@given(errors, errors)
def test_after_the_guard_no_gain_grows_beyond_what_it_left(before: list[float], after: list[float]) -> None:
    state = run(before)
    shrunk = shrink(state)
    assert (np.abs(shrunk.gain) <= np.abs(state.gain)).all()
    limit = np.abs(shrunk.gain)
    for value in after:
        shrunk = update(shrunk, value, WEIGHTS, COEFFICIENTS)
        assert (np.abs(shrunk.gain) <= limit + 1e-12).all()


@settings(max_examples=60)
@given(bias=st.floats(25, 75), effect=st.floats(2.0, 12.0), delay=st.integers(0, 1))
def test_a_linear_plant_settles_at_the_ideal(bias: float, effect: float, delay: int) -> None:
    chosen = ControllerSettings(proportional=1.0, integral=1.0, max_gain=100.0)
    state = initial_state(len(WEIGHTS), chosen)
    waiting = deque([0.0] * delay)
    measured = bias
    for _ in range(200):
        state = update(state, signed_error(measured), WEIGHTS, chosen)
        waiting.append(float(state.gain.sum()))
        measured = bias - effect * waiting.popleft()
    assert measured == pytest.approx(50.0, abs=0.1)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_with_sampling_noise_the_mean_settles_near_the_ideal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = initial_state(len(WEIGHTS), COEFFICIENTS)
    rate, rates = 0.7, []
    outputs: list[bool] = []
    for _ in range(150):
        outputs += list(rng.random(32) < rate)
        state = update(state, signed_error(window_bias(outputs, 32)), WEIGHTS, COEFFICIENTS)
        rate = float(np.clip(0.7 - 0.05 * state.gain.sum(), 0, 1))
        rates.append(rate)
    assert np.mean(rates[30:]) == pytest.approx(0.5, abs=0.04)


@given(bias=st.floats(25, 75), effect=st.floats(1.0, 12.0))
def test_from_passes_over_a_linear_plant_gains_double_until_one_step_reaches_the_ideal(
    bias: float, effect: float
) -> None:
    chosen = ControllerSettings(proportional=1.0, integral=1.0, max_gain=1000.0)
    state = update(initial_state(len(WEIGHTS), chosen), signed_error(bias), WEIGHTS, chosen)
    strengths = [abs(state.gain[2])]
    needed = abs(bias - 50.0) / (effect * WEIGHTS.sum())
    while abs((measured := bias - effect * state.gain.sum()) - 50.0) > 0.01:
        state = update_from_passes(state, measured, bias, WEIGHTS, chosen)
        strengths.append(abs(state.gain[2]))
        assert strengths[-1] <= max(2 * strengths[-2], needed) + 1e-9
    assert len(strengths) <= 2 + max(0, np.ceil(np.log2(max(needed, 1e-9) / max(strengths[0], 1e-9))))


@given(
    st.lists(st.floats(0.0, 100.0), min_size=1, max_size=30),
    st.floats(0.0, 100.0),
    st.floats(-1.0, 1.0),
    coefficients,
)
def test_from_passes_of_any_bias_gains_stay_within_bounds_and_move_against_the_error(
    biases: list[float], unsteered: float, first: float, chosen: ControllerSettings
) -> None:
    state = run([first], chosen)
    for bias in biases:
        moved = update_from_passes(state, bias, unsteered, WEIGHTS, chosen)
        assert np.abs(moved.gain).max() <= chosen.max_gain
        assert ((moved.gain - state.gain) * np.sign(bias - 50.0) >= 0).all()
        state = moved


def test_from_passes_a_layer_at_its_bound_leaves_the_rest_of_the_step_to_the_others() -> None:
    chosen = ControllerSettings(proportional=0.0, integral=4.0, max_gain=2.0)
    state = run([0.5], chosen)
    np.testing.assert_allclose(state.gain, 2.0 * WEIGHTS)
    moved = update_from_passes(state, 65.0, 75.0, WEIGHTS, chosen)  # 10 points for a gain of 2, 15 are left
    np.testing.assert_allclose(moved.gain, np.minimum(2.0, WEIGHTS * (2.0 + 2.0)))  # no more than double


def test_from_a_pass_that_moved_the_wrong_way_or_nowhere_the_step_is_bounded_too() -> None:
    state = run([0.2])
    for bias in (60.0, 62.0):
        moved = update_from_passes(state, bias, 60.0, WEIGHTS, COEFFICIENTS)
        np.testing.assert_allclose(moved.gain, 2 * state.gain)
    still = update_from_passes(initial_state(len(WEIGHTS), COEFFICIENTS), 60.0, 60.0, WEIGHTS, COEFFICIENTS)
    np.testing.assert_allclose(still.gain, WEIGHTS * 0.2 * 1.5)
    assert update_from_passes(state, 50.0, 60.0, WEIGHTS, COEFFICIENTS).gain.tolist() == state.gain.tolist()


def test_impossible_coefficients_are_refused() -> None:
    with pytest.raises(ValueError, match="max_gain"):
        ControllerSettings(proportional=1.0, integral=1.0, max_gain=0.0)

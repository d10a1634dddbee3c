"""The controller on simulated plants: signs, bounds, anti-windup, convergence with noise and delay."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.mitigate.controller import (
    ControllerSettings,
    ControllerState,
    initial_state,
    shrink,
    signed_error,
    update,
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


def test_impossible_coefficients_are_refused() -> None:
    with pytest.raises(ValueError, match="max_gain"):
        ControllerSettings(proportional=1.0, integral=1.0, max_gain=0.0)

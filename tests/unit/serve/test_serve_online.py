"""The online loop on simulated models: bounds, settling after a change of topic, noise, delay, and the guard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from edgebias.mitigate.steering.controller import ControllerSettings
from edgebias.serve.online import (
    GUARD_STEPS,
    OnlineSettings,
    OnlineState,
    after_guard,
    after_output,
    begin,
    bias,
    candidate,
)
from edgebias.serve.simulated import Topic, Trajectory, outputs_until_back, simulate

STUDY = OnlineSettings(ControllerSettings(proportional=0.5, integral=2.0, max_gain=4.0), window=32)
"""The default study's coefficients."""

TARGET = 100.0 * 0.5 / np.sqrt(32)
"""Points from 50 that count as back: one standard error of a window of 32 outputs (8.8), all that it can resolve."""

SPAN = 200
"""Outputs after a change of topic within which the true bias has to be back."""

any_settings = st.builds(
    OnlineSettings,
    st.builds(
        ControllerSettings, proportional=st.floats(0, 5), integral=st.floats(0, 50), max_gain=st.floats(0.01, 10)
    ),
    window=st.integers(1, 64),
)
slopes = st.floats(0.3, 0.6)
delays = st.integers(0, 32)
biases = st.floats(35.0, 65.0)


@pytest.mark.slow
@settings(max_examples=150)
@given(data=st.data(), chosen=any_settings, delay=delays, seed=st.integers(0, 2**32 - 1))
def test_no_gain_is_ever_past_the_bounds_or_beyond_what_the_guard_allows(
    data: Any, chosen: OnlineSettings, delay: int, seed: int
) -> None:
    bound = chosen.controller.max_gain
    topic = st.builds(Topic, st.floats(1.0, 99.0), st.floats(-2.0, 5.0), st.just(60))
    topics = data.draw(st.lists(topic, min_size=1, max_size=4))
    budget = (-data.draw(st.floats(0, 1)) * bound, data.draw(st.floats(0, 1)) * bound)
    start = data.draw(st.floats(*budget))
    run = simulate(topics, chosen, rng=np.random.default_rng(seed), delay=delay, gain=start, budget=budget)
    assert np.abs(run.gain).max() <= bound
    assert run.gain.min() >= budget[0]
    assert run.gain.max() <= budget[1]
    assert run.end.low <= run.end.integral <= run.end.high


def change_of_topic(
    before: float, after: float, slope: float, rng: np.random.Generator | None, delay: int
) -> Trajectory:
    """300 outputs of one topic, begun at the gain that suits it, and 500 of another."""
    topics = [Topic(before, slope, 300), Topic(after, slope, 500)]
    gain = float(np.clip(logit(before / 100.0) / slope, -4.0, 4.0))
    return simulate(topics, STUDY, rng=rng, delay=delay, gain=gain)


@pytest.mark.slow
@settings(max_examples=40)
@given(before=biases, after=biases, slope=slopes, delay=delays)
def test_without_noise_the_true_bias_is_back_within_200_outputs_and_stays(
    before: float, after: float, slope: float, delay: int
) -> None:
    run = change_of_topic(before, after, slope, None, delay)
    distance = np.abs(run.true_bias[300 + SPAN :] - 50.0)
    assert outputs_until_back(run.true_bias[300:], TARGET, STUDY.window) <= SPAN
    assert distance.max() <= TARGET


@pytest.mark.slow
@settings(max_examples=40)
@given(before=biases, after=biases, slope=slopes, delay=delays)
def test_without_noise_swings_die_out(before: float, after: float, slope: float, delay: int) -> None:
    """No sustained oscillation: 400 outputs after the change, the true bias moves by at most two outputs of a window.

    What is left is the window's own resolution, which has no value between 16 and 17 of 32.
    """
    late = change_of_topic(before, after, slope, None, delay).true_bias[-100:]
    assert np.ptp(late) <= 2 * 100.0 / STUDY.window
    assert abs(late.mean() - 50.0) <= 100.0 / STUDY.window


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0, 32])
@pytest.mark.parametrize(("before", "after", "slope"), [(60, 40, 0.35), (60, 35, 0.43), (45, 65, 0.6)])
def test_with_noise_nine_runs_of_ten_are_back_within_200_outputs(
    before: float, after: float, slope: float, delay: int
) -> None:
    runs = [change_of_topic(before, after, slope, np.random.default_rng(seed), delay) for seed in range(40)]
    back = [outputs_until_back(run.true_bias[300:], TARGET, STUDY.window) for run in runs]
    assert np.mean([number <= SPAN for number in back]) >= 0.9
    later = np.array([run.true_bias[300 + SPAN :] for run in runs])
    assert np.sqrt(np.mean((later - 50.0) ** 2)) <= TARGET
    # Not sustained: the spread over runs and time is no larger at the end than just after the change was taken up.
    assert later[:, -100:].std() <= 1.5 * later[:, :100].std()


def fed(outputs: list[bool], chosen: OnlineSettings = STUDY, state: OnlineState | None = None) -> OnlineState:
    state = state or begin(0.0)
    for output in outputs:
        state = after_output(state, output, chosen)
        asked = candidate(state, chosen)
        state = state if asked is None else after_guard(state, asked, within=True)
    return state


def test_the_gain_stays_until_a_whole_window_is_there_and_then_moves_with_every_output() -> None:
    state = fed([True] * 31)
    assert (state.gain, state.judged) == (0.0, 31)
    gains = [fed([True] * number).gain for number in (32, 33, 34)]
    assert 0.0 < gains[0] < gains[1] < gains[2]


def test_a_window_of_steps_takes_up_as_much_as_one_step_of_the_calibration_loop() -> None:
    state = fed([True] * (32 + 31), state=replace(begin(0.0), high=4.0))
    assert state.integral == pytest.approx(STUDY.controller.integral)


@given(st.lists(st.booleans(), max_size=200))
def test_mirrored_outputs_give_mirrored_gains(outputs: list[bool]) -> None:
    state, mirror = fed(outputs), fed([not output for output in outputs])
    assert state.gain == pytest.approx(-mirror.gain)


def test_the_window_slides() -> None:
    state = fed([True] * 100 + [False] * 16)
    assert (len(state.outputs), bias(state)) == (32, 50.0)
    assert np.isnan(bias(begin(1.0)))


def test_a_gain_is_applied_only_after_the_guard_has_cleared_it() -> None:
    state = begin(1.0)
    for _ in range(40):
        state = after_output(state, True, STUDY)
    assert state.gain == 1.0 < state.wanted
    assert candidate(state, STUDY) == 1.0 + 4.0 / GUARD_STEPS
    cleared = after_guard(state, 1.25, within=True)
    assert 1.0 < cleared.gain <= 1.25
    closed = after_guard(state, 1.25, within=False)
    assert closed.gain == 1.0
    assert candidate(closed, STUDY) is None


def test_a_side_that_is_closed_leaves_the_other_one_open() -> None:
    closed = after_guard(fed([True] * 32), 0.5, within=False)
    state = fed([False] * 200, state=closed)
    assert state.gain < 0.0


@pytest.mark.slow
@given(st.integers(50, 400))
def test_a_gain_at_its_bound_leaves_it_as_soon_as_the_error_changes_sign_however_long_it_was_there(number: int) -> None:
    held = fed([True] * (number + 300))
    assert held.gain == STUDY.controller.max_gain
    turned = fed([False] * 17, state=held)
    assert turned.gain < held.gain


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="window"):
        OnlineSettings(STUDY.controller, window=0)

"""The feedback loop while serving: from one judged output after another to the gain of a control vector. No model here.

The controller is that of the calibration loop (`edgebias.mitigate.steering.controller`: proportional, integral,
anti-windup, bounds). Three things differ:

- **One gain for the whole vector.** What a vector does in each layer was settled when it was fitted; online, the file
  is applied as it is, times one gain.
- **A step after every output.** The calibration loop corrects once a window and then waits for a new one. Online the
  window slides: after each output the bias of the last `OnlineSettings.window` ones is the error, and the integral
  coefficient of a step is that of a window divided by the window's length. Over a window both take up the same error,
  but each of these steps is too small to be seen in the answers, and a change of topic acts from its first output on.
- **The guard asks first.** A gain is applied only where perplexity was measured within the budget; where the loop wants
  to go further it stays, and `candidate` names the next gain to measure. Over the budget, that side is closed for good.
  Between 0 and a gain within the budget every gain is taken to be within it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgebias.mitigate.steering.controller import ControllerSettings, ControllerState, signed_error, update, window_bias

GUARD_STEPS = 16
"""The guard looks ahead by this part of the largest gain: each look costs some thousand tokens of two kinds of text."""

_WHOLE = np.ones(1)
"""The constraint weight of the vector as a whole."""


@dataclass(frozen=True)
class OnlineSettings:
    """The controller's coefficients for one whole window, and the window in outputs."""

    controller: ControllerSettings
    window: int

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError("window must be at least 1")


@dataclass(frozen=True)
class OnlineState:
    """What the loop knows: all that a restarted server needs to go on.

    Attributes:
        gain: what the control vector is multiplied with.
        integral: the integrator, in units of the gain.
        outputs: the last judged outputs, oldest first, at most a window of them; True is a stereotype-consistent one.
        judged: how many outputs were judged since the loop began.
        wanted: the gain that the controller asks for; it differs from ``gain`` where the guard has not cleared it.
        low: the smallest gain that the guard has cleared, at most 0.
        high: the largest one, at least 0.
        low_closed: whether the next gain below ``low`` was found over the budget.
        high_closed: the same above ``high``.
    """

    gain: float
    integral: float
    outputs: tuple[bool, ...] = ()
    judged: int = 0
    wanted: float = 0.0
    low: float = 0.0
    high: float = 0.0
    low_closed: bool = False
    high_closed: bool = False


def begin(gain: float) -> OnlineState:
    """Return the state before the first output, at a ``gain`` that the guard has cleared (0 needs no guard)."""
    return OnlineState(gain=gain, integral=gain, wanted=gain, low=min(gain, 0.0), high=max(gain, 0.0))


def after_output(state: OnlineState, stereotype: bool, settings: OnlineSettings) -> OnlineState:
    """Return the state after one more judged output; the gain moves once a whole window is there.

    Args:
        state: the state before it.
        stereotype: whether the output was the stereotype-consistent one of both kinds.
        settings: coefficients and window.
    """
    outputs = (*state.outputs, stereotype)[-settings.window :]
    state = replace(state, outputs=outputs, judged=state.judged + 1)
    if len(outputs) < settings.window:
        return state
    whole = settings.controller
    step = ControllerSettings(whole.proportional, whole.integral / settings.window, whole.max_gain)
    before = ControllerState(
        integral=np.array([state.integral]), bound=np.array([whole.max_gain]), gain=np.array([state.gain])
    )
    moved = update(before, signed_error(bias(state)), _WHOLE, step)
    return _cleared(replace(state, integral=float(moved.integral[0]), wanted=float(moved.gain[0])))


def bias(state: OnlineState) -> float:
    """Return per cent of stereotype-consistent outputs in the window as far as it is filled; NaN while it is empty."""
    return window_bias(state.outputs, max(len(state.outputs), 1))


def candidate(state: OnlineState, settings: OnlineSettings) -> float | None:
    """Return the gain whose perplexity the guard has to measure before the loop can go on.

    None where nothing is asked.
    """
    stride = settings.controller.max_gain / GUARD_STEPS
    if state.wanted > state.high and not state.high_closed:
        return min(state.high + stride, settings.controller.max_gain)
    if state.wanted < state.low and not state.low_closed:
        return max(state.low - stride, -settings.controller.max_gain)
    return None


def after_guard(state: OnlineState, measured: float, within: bool) -> OnlineState:
    """Return the state after the guard's answer about ``measured``: its side reaches so far, or ends where it is."""
    if measured > 0:
        state = replace(state, high=measured) if within else replace(state, high_closed=True)
    else:
        state = replace(state, low=measured) if within else replace(state, low_closed=True)
    return _cleared(state)


def _cleared(state: OnlineState) -> OnlineState:
    """Keep gain and integrator where the guard allows; an integrator that ran on would have to walk back first."""
    return replace(
        state,
        gain=min(max(state.wanted, state.low), state.high),
        integral=min(max(state.integral, state.low), state.high),
    )

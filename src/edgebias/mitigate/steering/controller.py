"""The feedback loop's controller: from the bias of a window of judged outputs to one gain per layer. No model here.

The seed paper (arXiv 2502.11349, abstract) describes "a mechanism that iteratively adjusts model behavior based on
previous outputs, where predefined constraint weights are applied layer-by-layer during inference", and prints no
formula. This is our reading: a proportional-integral controller in discrete time with one integrator per layer.

Signs: an error above 0 means too many stereotype-consistent outputs, and a gain above 0 steers away from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

IDEAL = 50.0
"""Per cent of stereotype-consistent choices, among both kinds, of a model without a preference."""

SHRINK = 0.9
"""What is left of every gain after the guard has spoken."""


@dataclass(frozen=True)
class ControllerSettings:
    """Coefficients of the controller; gains are in thousandths of each layer's residual norm.

    ``max_gain`` bounds the gain of every layer alike, so that a layer of small constraint weight can still take over
    what a saturated one cannot give.
    """

    proportional: float
    integral: float
    max_gain: float

    def __post_init__(self) -> None:
        if self.proportional < 0 or self.integral < 0 or self.max_gain <= 0:
            raise ValueError("proportional and integral must be at least 0 and max_gain above 0")


@dataclass(frozen=True)
class ControllerState:
    """Integrators, bounds and gains, one per layer."""

    integral: Vector
    bound: Vector
    gain: Vector


def initial_state(n_layers: int, settings: ControllerSettings) -> ControllerState:
    """Return the state before the loop: all gains zero, all bounds ``max_gain``."""
    return ControllerState(
        integral=np.zeros(n_layers), bound=np.full(n_layers, settings.max_gain), gain=np.zeros(n_layers)
    )


def begin_at(state: ControllerState, gain: float, error: float, weights: Vector) -> ControllerState:
    """Return gains and integrators at ``gain`` times the weights, against the error, and within the bounds.

    For directions of which a gain is known at which they were found to do good: what lies between it and no steering
    need not be half as good at half the cost, and a guard that meets a loss there would bar the way.

    Args:
        state: that of no steering.
        gain: at least 0.
        error: `signed_error` without steering, -1 to 1.
        weights: the predefined constraint weight of each layer, 0 to 1.
    """
    first = np.clip(np.sign(error) * gain * weights, -state.bound, state.bound)
    return replace(state, integral=first, gain=first)


def window_bias(outputs: Sequence[bool], window: int) -> float:
    """Return per cent of stereotype-consistent outputs (True) among the last ``window`` judged ones.

    NaN without any.
    """
    recent = outputs[-window:]
    return 100.0 * sum(recent) / len(recent) if recent else float("nan")


def signed_error(bias: float) -> float:
    """Return the distance of ``bias`` (per cent) from the ideal as a share of the largest possible one, -1 to 1.

    NaN gives 0.
    """
    return 0.0 if np.isnan(bias) else (bias - IDEAL) / IDEAL


def update(state: ControllerState, error: float, weights: Vector, settings: ControllerSettings) -> ControllerState:
    """Take one step of the loop: ``gain = proportional * weight * error + integral``, clipped to the bounds.

    The integrator of a layer that is at its bound takes no further error of the same sign (conditional integration,
    the plainest anti-windup), so the layer leaves its bound as soon as the error changes sign.

    Args:
        state: the state after the previous step.
        error: `signed_error` of the window, -1 to 1.
        weights: the predefined constraint weight of each layer, 0 to 1.
        settings: coefficients.
    """
    proportional = settings.proportional * weights * error
    integral = state.integral + settings.integral * weights * error
    raw = proportional + integral
    wound_up = (np.abs(raw) > state.bound) & (np.sign(raw) == np.sign(error))
    # A layer takes just as much of the error as brings it to its bound, and none when it is there already.
    held = np.sign(error) * np.maximum(np.sign(error) * state.integral, state.bound - np.abs(proportional))
    integral = np.clip(np.where(wound_up, held, integral), -state.bound, state.bound)
    return replace(state, integral=integral, gain=np.clip(proportional + integral, -state.bound, state.bound))


def update_from_passes(
    state: ControllerState, bias: float, unsteered: float, weights: Vector, settings: ControllerSettings
) -> ControllerState:
    """Take one step after a pass over all items: to where the line through the unsteered pass and this one is ideal.

    It is `update` without a proportional term (the integrators take over the gains as they are) and with the integral
    coefficient that the two passes give: the gain that moved the bias from one to the other, for each point that is
    left. A step at most doubles the gains, or is what `update` would integrate if that is more: near no steering the
    line says little, and a target that has not moved the right way gives none.

    Args:
        state: the state in which the pass was made.
        bias: of that pass, per cent.
        unsteered: bias of the pass without steering, per cent.
        weights: the predefined constraint weight of each layer, 0 to 1; not all 0.
        settings: coefficients.
    """
    error = signed_error(bias)
    # The one gain that, times the weights, comes nearest to the gains: they are no more than that until a bound holds.
    gain = float(weights @ state.gain) / float(weights @ weights)
    moved = (unsteered - bias) * np.sign(gain)
    step = max(abs(gain), settings.integral * abs(error))
    if moved > 0:
        step = min(step, abs(gain) * abs(bias - IDEAL) / moved)
    integral = step / abs(error) if error else 0.0
    taken_over = replace(state, integral=state.gain)
    return update(taken_over, error, weights, ControllerSettings(0.0, integral, settings.max_gain))


def shrink(state: ControllerState) -> ControllerState:
    """Take the guard's step: gains and integrators fall to `SHRINK`, and no gain may grow beyond that again.

    Lowering the bound with the gain keeps the loop from walking back into what has just cost too much utility.
    """
    gain = state.gain * SHRINK
    bound = np.minimum(state.bound, np.abs(gain))
    return ControllerState(integral=np.clip(state.integral * SHRINK, -bound, bound), bound=bound, gain=gain)

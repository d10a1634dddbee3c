"""How many passes the calibration loop needs, and how near it stops, on simulated models whose true bias is known.

    python simulations/calibration_loop.py              the default study's coefficients, 200 runs each
    python simulations/calibration_loop.py --noise 1.5  passes that resolve less
    python simulations/calibration_loop.py --first-gain 1

From the first window near the ideal on, passes judge. Their step is that of the line through the unsteered pass
(`update_from_passes`), or, for comparison, the fixed integral coefficient (`update`) of windows. A pass reads the true
bias with noise that is the same whenever the loop comes back to a gain: it is that of the items and of rounding.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from unittest.mock import patch

import numpy as np

from edgebias.mitigate.steering import loop
from edgebias.mitigate.steering.controller import (
    IDEAL,
    ControllerSettings,
    ControllerState,
    Vector,
    signed_error,
    update,
    update_from_passes,
)
from edgebias.mitigate.steering.loop import LoopResult, LoopSettings, LoopTarget, PassResult, run_loop
from edgebias.mitigate.steering.utility import Budget, Perplexities, Utility

WEIGHTS = np.array([0.0, *[1.0] * 29])
"""Constraint weights of learned vectors, for 30 blocks."""

BIAS = 59.0
"""Per cent of stereotypes without steering, as in the default study."""

RESPONSES: dict[str, Callable[[float], float]] = {
    "2.5 points a unit of gain": lambda gain: 2.5 * gain,
    "4": lambda gain: 4.0 * gain,
    "8": lambda gain: 8.0 * gain,
    "1.2, growing": lambda gain: 1.2 * gain * (1.0 + 0.5 * gain),
    "5, levelling off": lambda gain: 5.0 * gain * (1.0 - 0.1 * gain),
}

Step = Callable[[ControllerState, float, float, Vector, ControllerSettings], ControllerState]


def fixed_step(
    state: ControllerState, bias: float, unsteered: float, weights: Vector, settings: ControllerSettings
) -> ControllerState:
    """The step that windows take."""
    return update(state, signed_error(bias), weights, settings)


STEPS: dict[str, Step] = {"fixed coefficient": fixed_step, "line through two passes": update_from_passes}


def simulated(
    response: Callable[[float], float], step: Step, settings: LoopSettings, noise: float, rng: np.random.Generator
) -> tuple[LoopResult, int]:
    """The loop's result on a model of this response, and the number of passes over all items."""
    gain, known = 0.0, {0.0: BIAS}

    def apply(gains: Vector) -> float:
        nonlocal gain
        gain = float(gains[1])
        return gain

    def rate() -> float:
        if gain not in known:
            known[gain] = BIAS - response(gain) + rng.normal(0.0, noise)
        return known[gain]

    passes = 0

    def full_pass() -> PassResult:
        nonlocal passes
        passes += 1
        return PassResult(rate(), rate() - 6.0, rate() + 6.0)

    target = LoopTarget(
        apply, lambda n: list(100.0 * rng.random(n) < rate()), full_pass, lambda: Utility(Perplexities(1.0, 1.0))
    )
    with patch.object(loop, "update_from_passes", step):
        return run_loop(target, WEIGHTS, settings), passes


def main() -> None:
    """Print a row for each response and step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proportional", type=float, default=0.5)
    parser.add_argument("--integral", type=float, default=2.0)
    parser.add_argument("--max-gain", type=float, default=4.0)
    parser.add_argument("--first-gain", type=float, default=0.0)
    parser.add_argument("--noise", type=float, default=0.7, help="of a pass, points")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20250217)
    given = parser.parse_args()
    controller = ControllerSettings(given.proportional, given.integral, given.max_gain)
    settings = LoopSettings(controller, 32, 24, Budget(0.02, 1.0), given.first_gain)
    print(f"{'response':26}{'step of passes':25}{'converged':>10}{'passes':>8}{'true bias - 50':>16}{'rms':>6}")
    for response_name, response in RESPONSES.items():
        for step_name, step in STEPS.items():
            converged, passes, left = 0, 0, []
            for run in range(given.runs):
                rng = np.random.default_rng([given.seed, run])
                result, count = simulated(response, step, settings, given.noise, rng)
                converged, passes = converged + result.converged, passes + count
                left.append(BIAS - response(float(result.gains[1])) - IDEAL)
            print(
                f"{response_name:26}{step_name:25}{converged / given.runs:10.0%}{passes / given.runs:8.1f}"
                f"{np.mean(left):16.2f}{np.sqrt(np.mean(np.square(left))):6.2f}"
            )


if __name__ == "__main__":
    main()

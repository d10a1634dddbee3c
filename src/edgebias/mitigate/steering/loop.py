"""The feedback loop in calibration mode: steer, judge outputs, correct the gains, until the bias covers its ideal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from edgebias.mitigate.steering.controller import (
    IDEAL,
    ControllerSettings,
    ControllerState,
    Vector,
    begin_at,
    initial_state,
    shrink,
    signed_error,
    update,
    update_from_passes,
    window_bias,
)
from edgebias.mitigate.steering.utility import Budget, Utility

SHRINKS = 30
"""The guard gives up after this many shrinks in one round; the gains are then below 5 % of what they were."""

PASS_TOLERANCE = 0.5
"""How near the ideal a pass over all calibration items must be, in outputs of a window: it resolves more than a window
does, and at a whole output (3 points of 32) a third of a distance of 10 points would be left."""

IDEAL_REACHED, GUARD_HOLDS, BOUNDS_HOLD, ROUNDS_OVER = "ideal_reached", "guard_holds", "bounds_hold", "rounds_over"
"""Why the loop stopped: it converged; no gain may grow, since the guard or since ``max_gain`` says so; neither."""


@dataclass(frozen=True)
class PassResult:
    """Bias (per cent) over all calibration items at frozen gains, with its cluster-bootstrap interval."""

    bias: float
    low: float
    high: float


@dataclass(frozen=True)
class Plant:
    """What the loop steers: a live model behind four functions, so that the loop can be tested without one."""

    apply: Callable[[Vector], float]
    """Set the gains; returns the norm of the whole control vector."""
    judge: Callable[[int], Sequence[bool]]
    """Judge the next n calibration outputs: True for a stereotype-consistent one; other kinds left out."""
    full_pass: Callable[[], PassResult]
    """Judge all calibration items at the present gains."""
    utility: Callable[[], Utility]
    """Of what steering should spare, at the present gains."""


@dataclass(frozen=True)
class LoopSettings:
    """The controller's coefficients, the window (outputs), the most rounds, the guard's budget, and the first gain.

    ``first_gain`` is that of the first round, times the constraint weights; 0 leaves the first round to the controller.
    """

    controller: ControllerSettings
    window: int
    rounds: int
    budget: Budget
    first_gain: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.first_gain <= self.controller.max_gain:
            raise ValueError(f"first_gain must be 0 to max_gain ({self.controller.max_gain})")


@dataclass(frozen=True)
class LoopResult:
    """The gains that are frozen and shipped, the passes before and after, and the trajectory."""

    gains: Vector
    before: PassResult
    after: PassResult
    utility_before: Utility
    utility_after: Utility
    stopped: str
    rounds: int
    trajectory: pd.DataFrame

    @property
    def converged(self) -> bool:
        """Whether a pass at the gains that are kept has reached the ideal."""
        return self.stopped == IDEAL_REACHED


def run_loop(plant: Plant, weights: Vector, settings: LoopSettings) -> LoopResult:
    """Close the loop; see ``docs/design/loop.md`` for the rules.

    Round 0 is a pass over all calibration items without steering; where its interval covers the ideal, there is no
    evidence of bias and the model is left alone. Each later round corrects the gains by the error of what was judged
    last (the first one may be told where to begin instead: `LoopSettings.first_gain`), lets the guard shrink them while
    more utility is lost than its budget allows, and judges the next ``window`` outputs.

    When a window is within one output of the ideal, a pass over all calibration items at frozen gains decides: the loop
    has converged when its interval covers the ideal and its bias is within half an output of a window. From then on
    passes judge instead of windows, whose noise would carry gains away from where they are nearly right. A pass is
    exact enough to say, together with the one before steering, how far the next step should go.

    Such a pass is made, too, when every layer has come to its bound. If its bias is still on the side from which the
    gains push it away, nothing that the loop may do would bring it nearer, and it stops there. If no pass says that
    the loop has converged, the gains of the pass nearest the ideal are kept and ``converged`` is False.
    """
    plant = _remembering(plant)
    tolerance = 100.0 / settings.window
    state = initial_state(len(weights), settings.controller)
    norm = plant.apply(state.gain)
    unsteered = found = plant.utility()
    before = plant.full_pass()
    best, best_gains, best_found = before, state.gain, found
    bias, guarded, held, near = before.bias, False, False, False
    converged = _covers(before)
    rows = [_row(0, bias, before, guarded, converged, found, norm, state.gain)]
    outputs: list[bool] = []
    number = 0
    while not (converged or held) and number < settings.rounds:
        number += 1
        if number == 1 and settings.first_gain:
            state = begin_at(state, settings.first_gain, signed_error(bias), weights)
        elif near:
            state = update_from_passes(state, bias, before.bias, weights, settings.controller)
        else:
            state = update(state, signed_error(bias), weights, settings.controller)
        norm, found, guarded = plant.apply(state.gain), plant.utility(), False
        for _ in range(SHRINKS):
            if found.within(settings.budget, unsteered):
                break
            guarded = True
            state = shrink(state)
            norm, found = plant.apply(state.gain), plant.utility()
        passes_judge = near
        if not passes_judge:
            outputs += plant.judge(settings.window)
            bias = window_bias(outputs, settings.window)
            near = abs(bias - IDEAL) <= tolerance
        at_bounds = _at_bounds(state, weights)
        confirmation = plant.full_pass() if near or at_bounds or number == settings.rounds else None
        judged = bias
        if confirmation is not None:
            bias = confirmation.bias
            judged = bias if passes_judge else judged
            held = at_bounds and bool((state.gain * (bias - IDEAL) >= 0).all())
            converged = _covers(confirmation) and abs(bias - IDEAL) <= PASS_TOLERANCE * tolerance
            within = found.within(settings.budget, unsteered)
            if within and abs(bias - IDEAL) < abs(best.bias - IDEAL):
                best, best_gains, best_found = confirmation, state.gain, found
        rows.append(_row(number, judged, confirmation, guarded, converged, found, norm, state.gain))
    return LoopResult(
        gains=best_gains,
        before=before,
        after=best,
        utility_before=unsteered,
        utility_after=best_found,
        stopped=_why(converged, held, state, settings),
        rounds=number,
        trajectory=pd.DataFrame(rows),
    )


def _remembering(plant: Plant) -> Plant:
    """Return ``plant``, which measures nothing twice at the same gains: held by a bound, the loop comes back to them.

    The outputs of a window are new ones each time and are judged as before.
    """
    gains = b""
    passes: dict[bytes, PassResult] = {}
    utilities: dict[bytes, Utility] = {}

    def apply(new: Vector) -> float:
        nonlocal gains
        gains = new.tobytes()
        return plant.apply(new)

    def full_pass() -> PassResult:
        if gains not in passes:
            passes[gains] = plant.full_pass()
        return passes[gains]

    def measured() -> Utility:
        if gains not in utilities:
            utilities[gains] = plant.utility()
        return utilities[gains]

    return Plant(apply, plant.judge, full_pass, measured)


def _at_bounds(state: ControllerState, weights: Vector) -> bool:
    """Return whether no gain that the loop moves can grow."""
    return bool((np.abs(state.gain) >= state.bound)[weights > 0].all())


def _why(converged: bool, held: bool, state: ControllerState, settings: LoopSettings) -> str:
    if converged:
        return IDEAL_REACHED
    if not held:
        return ROUNDS_OVER
    return GUARD_HOLDS if (state.bound < settings.controller.max_gain).any() else BOUNDS_HOLD


def _covers(result: PassResult) -> bool:
    return result.low <= IDEAL <= result.high


def _row(
    number: int,
    bias: float,
    confirmation: PassResult | None,
    guarded: bool,
    converged: bool,
    found: Utility,
    norm: float,
    gain: npt.NDArray[np.float64],
) -> dict[str, float | int]:
    passed = confirmation or PassResult(float("nan"), float("nan"), float("nan"))
    return {
        "round": number,
        "bias": bias,
        "error": bias - IDEAL,
        "gain": float(np.abs(gain).max()),
        "norm": norm,
        "perplexity": found.perplexities.neutral_text,
        "answers_perplexity": found.perplexities.reference_answers,
        **({} if found.questions is None else asdict(found.questions)),
        "guard": int(guarded),
        "converged": int(converged),
        "pass_bias": passed.bias,
        "pass_low": passed.low,
        "pass_high": passed.high,
        **{f"gain_{layer:02d}": float(gain[layer]) for layer in range(1, len(gain))},
    }

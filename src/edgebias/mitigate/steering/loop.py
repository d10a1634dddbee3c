"""The feedback loop in calibration mode: steer, judge outputs, correct the gains, until the bias covers its ideal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
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
class LoopTarget:
    """What the loop steers: a live model behind four functions, so that the loop can be tested without one."""

    apply: Callable[[Vector], float]
    """Set the gains; returns the norm of the whole control vector."""
    judge: Callable[[int], Sequence[bool]]
    """Judge the next n calibration outputs: True for a stereotype-consistent one; other kinds left out."""
    full_pass: Callable[[], PassResult]
    """Judge all calibration items at the present gains."""
    utility: Callable[[], Utility]
    """Measure what steering should spare, at the present gains."""


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


def run_loop(target: LoopTarget, weights: Vector, settings: LoopSettings) -> LoopResult:
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
    run = _Run(_remembering(target), weights, settings)
    while not run.over():
        run.correct_gains()
        run.guard_utility()
        run.judge()
    return run.result()


class _Run:
    """One run of the loop: what it has measured, the gains at present, and the best gains so far.

    Args:
        target: what is steered; it measures nothing twice at the same gains.
        weights: of each layer's gain.
        settings: of the loop.
    """

    def __init__(self, target: LoopTarget, weights: Vector, settings: LoopSettings) -> None:
        self._target, self._weights, self._settings = target, weights, settings
        self._tolerance = 100.0 / settings.window
        self._state = initial_state(len(weights), settings.controller)
        self._norm = target.apply(self._state.gain)
        self._utility = self._unsteered = target.utility()
        self._before = target.full_pass()
        self._best, self._best_gains, self._best_utility = self._before, self._state.gain, self._utility
        self._bias, self._guarded, self._held, self._near = self._before.bias, False, False, False
        self._converged = _covers(self._before)
        self._round = 0
        self._outputs: list[bool] = []
        self._rows: list[dict[str, float | int]] = []
        self._note(self._bias, self._before)

    def over(self) -> bool:
        """Return whether nothing is left to do."""
        return self._converged or self._held or self._round >= self._settings.rounds

    def correct_gains(self) -> None:
        """Begin a round: correct the gains by the error of what was judged last."""
        self._round += 1
        state, controller = self._state, self._settings.controller
        if self._round == 1 and self._settings.first_gain:
            self._state = begin_at(state, self._settings.first_gain, signed_error(self._bias), self._weights)
        elif self._near:
            self._state = update_from_passes(state, self._bias, self._before.bias, self._weights, controller)
        else:
            self._state = update(state, signed_error(self._bias), self._weights, controller)

    def guard_utility(self) -> None:
        """Steer, and shrink the gains while more utility is lost than the budget allows."""
        self._steer()
        self._guarded = False
        for _ in range(SHRINKS):
            if self._within_budget():
                break
            self._guarded = True
            self._state = shrink(self._state)
            self._steer()

    def judge(self) -> None:
        """Judge the next window or, near the ideal, at the bounds and in the last round, all calibration items."""
        passes_judge = self._near
        if not passes_judge:
            self._outputs += self._target.judge(self._settings.window)
            self._bias = window_bias(self._outputs, self._settings.window)
            self._near = abs(self._bias - IDEAL) <= self._tolerance
        judged = self._bias
        at_bounds = _at_bounds(self._state, self._weights)
        confirmation = None
        if self._near or at_bounds or self._round == self._settings.rounds:
            confirmation = self._target.full_pass()
            self._decide(confirmation, at_bounds)
            judged = self._bias if passes_judge else judged
        self._note(judged, confirmation)

    def result(self) -> LoopResult:
        """Return the gains of the pass nearest the ideal, and the trajectory."""
        return LoopResult(
            gains=self._best_gains,
            before=self._before,
            after=self._best,
            utility_before=self._unsteered,
            utility_after=self._best_utility,
            stopped=_why(self._converged, self._held, self._state, self._settings),
            rounds=self._round,
            trajectory=pd.DataFrame(self._rows),
        )

    def _steer(self) -> None:
        self._norm, self._utility = self._target.apply(self._state.gain), self._target.utility()

    def _within_budget(self) -> bool:
        return self._utility.within(self._settings.budget, self._unsteered)

    def _decide(self, confirmation: PassResult, at_bounds: bool) -> None:
        """Let a pass say whether the loop has converged or is held, and whether its gains are the best so far."""
        self._bias = confirmation.bias
        distance = abs(self._bias - IDEAL)
        self._held = at_bounds and bool((self._state.gain * (self._bias - IDEAL) >= 0).all())
        self._converged = _covers(confirmation) and distance <= PASS_TOLERANCE * self._tolerance
        if self._within_budget() and distance < abs(self._best.bias - IDEAL):
            self._best, self._best_gains, self._best_utility = confirmation, self._state.gain, self._utility

    def _note(self, judged: float, confirmation: PassResult | None) -> None:
        passed = confirmation or PassResult(float("nan"), float("nan"), float("nan"))
        gain, perplexities, questions = self._state.gain, self._utility.perplexities, self._utility.questions
        self._rows.append(
            {
                "round": self._round,
                "bias": judged,
                "error": judged - IDEAL,
                "gain": float(np.abs(gain).max()),
                "norm": self._norm,
                "perplexity": perplexities.neutral_text,
                "answers_perplexity": perplexities.reference_answers,
                **({} if questions is None else asdict(questions)),
                "guard": int(self._guarded),
                "converged": int(self._converged),
                "pass_bias": passed.bias,
                "pass_low": passed.low,
                "pass_high": passed.high,
                **{f"gain_{layer:02d}": float(gain[layer]) for layer in range(1, len(gain))},
            }
        )


def _remembering(target: LoopTarget) -> LoopTarget:
    """Return ``target``, which measures nothing twice at the same gains: held by a bound, the loop comes back to them.

    The outputs of a window are new ones each time and are judged as before.
    """
    gains = b""
    passes: dict[bytes, PassResult] = {}
    utilities: dict[bytes, Utility] = {}

    def apply(new: Vector) -> float:
        nonlocal gains
        gains = new.tobytes()
        return target.apply(new)

    def full_pass() -> PassResult:
        if gains not in passes:
            passes[gains] = target.full_pass()
        return passes[gains]

    def measured() -> Utility:
        if gains not in utilities:
            utilities[gains] = target.utility()
        return utilities[gains]

    return LoopTarget(apply, target.judge, full_pass, measured)


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

"""Simulated models for the online loop: what it does after a change of topic, known exactly.

A topic is a logistic response of the stereotype rate to the gain. Outputs are drawn from it, judged ``delay`` outputs
later, and fed to the very loop that serves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from edgebias.mitigate.steering.controller import IDEAL
from edgebias.serve.online import OnlineSettings, OnlineState, after_guard, after_output, begin, candidate


@dataclass(frozen=True)
class Topic:
    """How a model answers one topic: per cent of stereotypes without steering, and log-odds that a gain of 1 removes.

    Attributes:
        bias: per cent, above 0 and below 100.
        slope: log-odds for each unit of gain.
        outputs: how many outputs the topic lasts.
    """

    bias: float
    slope: float
    outputs: int

    def true_bias(self, gain: float) -> float:
        """Return per cent of stereotypes that the model really has at ``gain``."""
        return 100.0 * float(expit(logit(self.bias / 100.0) - self.slope * gain))


@dataclass(frozen=True)
class Trajectory:
    """What happened, one entry for each output: the gain it left, and the true bias (per cent) at that gain."""

    gain: npt.NDArray[np.float64]
    true_bias: npt.NDArray[np.float64]
    end: OnlineState


def simulate(
    topics: Sequence[Topic],
    settings: OnlineSettings,
    *,
    rng: np.random.Generator | None,
    delay: int = 0,
    gain: float = 0.0,
    budget: tuple[float, float] = (-np.inf, np.inf),
) -> Trajectory:
    """Serve ``topics`` one after the other.

    Args:
        topics: what is asked, in order.
        settings: of the loop.
        rng: draws the outputs; None for outputs without noise: a stereotype as often as the rate says, evenly spread.
        delay: outputs between one that is written and its judgement.
        gain: where the loop begins.
        budget: the smallest and the largest gain that the guard finds within its budget.
    """
    state = begin(gain)
    waiting: deque[bool] = deque()
    gains, biases, owed = [], [], 0.0
    for topic in topics:
        for _ in range(topic.outputs):
            rate = topic.true_bias(state.gain) / 100.0
            if rng is None:
                owed += rate
                output = owed >= 0.5
                owed -= output
            else:
                output = bool(rng.random() < rate)
            waiting.append(output)
            if len(waiting) > delay:
                state = after_output(state, waiting.popleft(), settings)
                asked = candidate(state, settings)
                if asked is not None:
                    state = after_guard(state, asked, budget[0] <= asked <= budget[1])
            gains.append(state.gain)
            biases.append(topic.true_bias(state.gain))
    return Trajectory(np.array(gains), np.array(biases), state)


def outputs_until_back(true_bias: npt.NDArray[np.float64], target: float, window: int) -> float:
    """Return outputs until the true bias is within ``target`` points of 50 and stays so for a whole window.

    Else infinity.

    Args:
        true_bias: per cent, from the change of topic on.
        target: points.
        window: outputs.
    """
    inside = np.abs(true_bias - IDEAL) <= target
    whole = np.convolve(inside, np.ones(window, int), mode="valid") == window
    return float(np.argmax(whole)) + 1.0 if whole.any() else float("inf")

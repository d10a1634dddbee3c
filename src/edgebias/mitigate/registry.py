"""Names of the mitigation methods (`study.methods`), and how those that steer do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgebias.core.errors import InputError
from edgebias.mitigate.methods.controls import CONTROLS
from edgebias.mitigate.steering.directions import SINGLE_LAYER

NONE, INSTRUCTION, SELF_DEBIASING = "none", "instruction", "self_debiasing"
ANSWER_PRIOR, REPROMPTING = "answer_prior", "reprompting"
WITH_SETTINGS = (INSTRUCTION, SELF_DEBIASING, ANSWER_PRIOR, REPROMPTING)
"""Methods whose evaluation reads the key of their name in ``mitigate``, which no other method reads."""

CHOOSING = (ANSWER_PRIOR, REPROMPTING)
"""Methods that choose among options. What they make of one text alone is no probability: it has no perplexity."""

SCORING = (SELF_DEBIASING, *CHOOSING)
"""Methods that score options and write nothing."""

FEEDBACK_LOOP, OPEN_LOOP = "feedback_loop", "open_loop"
STEERED = (FEEDBACK_LOOP, OPEN_LOOP, SINGLE_LAYER)
"""Methods that are a control vector: what the loop found, its directions at a gain of 1, a baseline from the field."""

GATED, EQUAL_LAYERS = "gated_", "equal_layers_"
"""Before the name of an open loop: behind a gate; with the same length in every layer that is steered."""

CONDITIONAL = "conditional_steering"
"""A gated method of the literature (CAST): its own vector, its own gate, which reads the running hidden state."""

GATED_FEEDBACK_LOOP = f"{GATED}{FEEDBACK_LOOP}"
"""The vector at which a loop came to rest that judges and guards through the gate, and behind it."""

LOOPS = (FEEDBACK_LOOP, GATED_FEEDBACK_LOOP)
"""Methods whose gains a loop finds."""

BEHIND_A_GATE = (GATED_FEEDBACK_LOOP, CONDITIONAL)
"""Methods that come with a vector and a gate, beside the open loops behind one."""

METHODS = (NONE, *WITH_SETTINGS, *STEERED, *BEHIND_A_GATE, *CONTROLS)

_OPEN_LOOP_AT = re.compile(rf"({GATED}|{EQUAL_LAYERS})?{OPEN_LOOP}(?:_at_(\d+(?:\.\d+)?))?")
_OPEN_LOOP_FROM = re.compile(rf"{OPEN_LOOP}_from_[a-z0-9_]+")


@dataclass(frozen=True)
class Steering:
    """What is done with the vectors of a method.

    Attributes:
        gain: they are multiplied by it.
        equal_layers: each that is not zero first gets the same length, their total staying what it is.
        gated: they are added only to requests for which the gate opens.
    """

    gain: float = 1.0
    equal_layers: bool = False
    gated: bool = False


def open_loop_gain(method: str) -> float | None:
    """The gain of a point of the frontier: 1 of ``open_loop``, G of ``open_loop_at_G``; None of another method."""
    found = _OPEN_LOOP_AT.fullmatch(method)
    return float(found[2] or 1.0) if found and not found[1] else None


def steering_of(method: str) -> Steering | None:
    """How ``method`` steers; None if it does not.

    ``open_loop_from_VARIANT`` is ``open_loop`` with the directions that were found on another build of the model.

    Raises:
        InputError: there is no such method.
    """
    found = _OPEN_LOOP_AT.fullmatch(method)
    if found:
        return Steering(float(found[2] or 1.0), equal_layers=found[1] == EQUAL_LAYERS, gated=found[1] == GATED)
    if _OPEN_LOOP_FROM.fullmatch(method):
        return Steering()
    if method not in METHODS:
        known = [
            *METHODS,
            f"{OPEN_LOOP}_at_GAIN",
            f"{OPEN_LOOP}_from_VARIANT",
            f"{GATED}{OPEN_LOOP}_at_GAIN",
            f"{EQUAL_LAYERS}{OPEN_LOOP}_at_GAIN",
        ]
        raise InputError(f"--method {method}: unknown; choose one of {known}")
    return Steering(gated=method in BEHIND_A_GATE) if method in (*STEERED, *BEHIND_A_GATE) else None

"""Names of the mitigation methods (`study.methods`), and which of them are a control vector."""

from __future__ import annotations

import re

from edgebias.errors import InputError
from edgebias.mitigate.control import CONTROLS
from edgebias.mitigate.directions import SINGLE_LAYER

NONE, INSTRUCTION, SELF_DEBIASING = "none", "instruction", "self_debiasing"
FEEDBACK_LOOP, OPEN_LOOP = "feedback_loop", "open_loop"
STEERED = (FEEDBACK_LOOP, OPEN_LOOP, SINGLE_LAYER)
"""Methods that are a control vector: what the loop found, its directions at a gain of 1, a baseline from the field."""

METHODS = (NONE, INSTRUCTION, SELF_DEBIASING, *STEERED, *CONTROLS)

_OPEN_LOOP_AT = re.compile(rf"{OPEN_LOOP}_at_(\d+(?:\.\d+)?)")
_OPEN_LOOP_FROM = re.compile(rf"{OPEN_LOOP}_from_[a-z0-9_]+")


def open_loop_gain(method: str) -> float | None:
    """The gain of a point of the frontier: 1 of ``open_loop``, G of ``open_loop_at_G``; None of another method."""
    found = _OPEN_LOOP_AT.fullmatch(method)
    return float(found[1]) if found else 1.0 if method == OPEN_LOOP else None


def steering_gain(method: str) -> float | None:
    """What the vector of ``method`` is multiplied by: 1, G of ``open_loop_at_G``; None if it does not steer.

    ``open_loop_from_VARIANT`` is ``open_loop`` with the directions that were found on another build of the model.

    Raises:
        InputError: there is no such method.
    """
    gain = open_loop_gain(method)
    if gain is not None:
        return gain
    if _OPEN_LOOP_FROM.fullmatch(method):
        return 1.0
    if method not in METHODS:
        known = [*METHODS, f"{OPEN_LOOP}_at_GAIN", f"{OPEN_LOOP}_from_VARIANT"]
        raise InputError(f"--method {method}: unknown; choose one of {known}")
    return 1.0 if method in STEERED else None

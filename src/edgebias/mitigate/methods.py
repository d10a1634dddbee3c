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


def steering_gain(method: str) -> float | None:
    """What the vector of ``method`` is multiplied by: 1, G of ``open_loop_at_G``; None if it does not steer.

    Raises:
        InputError: there is no such method.
    """
    found = _OPEN_LOOP_AT.fullmatch(method)
    if found:
        return float(found[1])
    if method not in METHODS:
        raise InputError(f"--method {method}: unknown; choose one of {[*METHODS, f'{OPEN_LOOP}_at_GAIN']}")
    return 1.0 if method in STEERED else None

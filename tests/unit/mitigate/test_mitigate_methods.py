"""Names of methods and how those that steer do."""

from __future__ import annotations

import pytest

from edgebias.core.errors import InputError
from edgebias.mitigate.registry import METHODS, STEERED, Steering, open_loop_gain, steering_of


def test_methods_that_steer_say_how_and_no_other_does() -> None:
    assert {name for name in METHODS if steering_of(name) is not None} == {
        *STEERED,
        "gated_feedback_loop",
        "conditional_steering",
    }
    assert steering_of("gated_feedback_loop") == steering_of("conditional_steering") == Steering(gated=True)
    assert steering_of("feedback_loop") == Steering()
    assert steering_of("open_loop") == steering_of("open_loop_from_full") == Steering(1.0)
    assert steering_of("open_loop_at_0.5") == Steering(0.5)
    assert steering_of("open_loop_at_12") == Steering(12.0)
    assert steering_of("gated_open_loop_at_2") == Steering(2.0, gated=True)
    assert steering_of("equal_layers_open_loop") == Steering(1.0, equal_layers=True)


def test_points_of_the_frontier_are_the_open_loop_at_its_gains_on_the_same_build() -> None:
    assert open_loop_gain("open_loop") == 1.0
    assert open_loop_gain("open_loop_at_1.5") == 1.5
    others = ("open_loop_from_full", "feedback_loop", "none", "gated_open_loop_at_2", "equal_layers_open_loop")
    assert [open_loop_gain(name) for name in others] == [None] * 5


@pytest.mark.parametrize(
    "name",
    [
        *("open_loop_at_", "open_loop_at_-1", "open_loop_at_1.", "open_loop_from_", "feedback_loop_at_2", "nones"),
        *("gated_", "gated_single_layer", "gated_equal_layers_open_loop", "gated_open_loop_from_full"),
    ],
)
def test_other_names_are_refused_with_the_choice(name: str) -> None:
    with pytest.raises(InputError, match=rf"^--method {name}: unknown; choose one of .*open_loop_at_GAIN"):
        steering_of(name)

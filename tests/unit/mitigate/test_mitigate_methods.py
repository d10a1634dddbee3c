"""Names of methods and the gain of those that steer."""

from __future__ import annotations

import pytest

from edgebias.errors import InputError
from edgebias.mitigate.methods import METHODS, STEERED, open_loop_gain, steering_gain


def test_methods_that_steer_have_a_gain_and_no_other_has() -> None:
    assert {name for name in METHODS if steering_gain(name) is not None} == set(STEERED)
    assert steering_gain("open_loop") == 1.0
    assert steering_gain("open_loop_at_0.5") == 0.5
    assert steering_gain("open_loop_at_12") == 12.0
    assert steering_gain("open_loop_from_full") == 1.0


def test_points_of_the_frontier_are_the_open_loop_at_its_gains_on_the_same_build() -> None:
    assert open_loop_gain("open_loop") == 1.0
    assert open_loop_gain("open_loop_at_1.5") == 1.5
    assert [open_loop_gain(name) for name in ("open_loop_from_full", "feedback_loop", "none")] == [None] * 3


@pytest.mark.parametrize(
    "name", ["open_loop_at_", "open_loop_at_-1", "open_loop_at_1.", "open_loop_from_", "feedback_loop_at_2", "nones"]
)
def test_other_names_are_refused_with_the_choice(name: str) -> None:
    with pytest.raises(InputError, match=rf"^--method {name}: unknown; choose one of .*open_loop_at_GAIN"):
        steering_gain(name)

"""Which suites drive the loop, and which have a part in the vector."""

from __future__ import annotations

import pytest

from edgebias.core.errors import InputError
from edgebias.mitigate.calibration import drivers, steered_suites


def settings_of(directions: str, *learned: str) -> dict[str, object]:
    return {"mitigate": {"suites": ["stereoset"], "directions": directions, "learning": {"suites": list(learned)}}}


def test_learned_directions_also_come_from_what_they_are_learned_from() -> None:
    assert steered_suites(settings_of("learned", "stereoset", "bbq")) == ("bbq", "stereoset")
    assert steered_suites(settings_of("learned", "bbq")) == ("bbq", "stereoset")
    assert steered_suites(settings_of("pca", "bbq")) == ("stereoset",)


def test_a_suite_without_a_stereotype_rate_drives_no_loop() -> None:
    with pytest.raises(InputError, match=r"mitigate\.suites\.0 is 'bbq'; allowed values: forced_choice, stereoset"):
        drivers({"mitigate.suites": ["bbq"]})

"""Settings of the rounds stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgebias.core.errors import InputError
from edgebias.core.settings import require


@dataclass(frozen=True)
class RoundSettings:
    """The section ``rounds`` of the settings; every number counts rounds, conversations or exchanges."""

    independent: int
    conversation: int
    conversations: int
    window: int
    temperature: float


def read_round_settings(settings: dict[str, Any]) -> RoundSettings:
    """Take ``rounds`` out of a stage's settings.

    Raises:
        InputError: a key is absent, or a value is not a number in its range.
    """
    require(settings, "rounds")
    section = settings["rounds"]
    if not isinstance(section, dict):
        raise InputError(f"--settings: 'rounds' must be a mapping, not {type(section).__name__}")
    counts: dict[str, int] = {}
    for name in ("independent", "conversation", "conversations", "window"):
        if name not in section:
            raise InputError(f"rounds.{name}: missing; rounds has {sorted(section)}")
        value = section[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise InputError(f"rounds.{name}: a whole number of at least 0 is needed, not {value!r}")
        counts[name] = value
    temperature = section.get("temperature")
    if not isinstance(temperature, int | float) or isinstance(temperature, bool) or not 0 < temperature < float("inf"):
        raise InputError(
            f"rounds.temperature: a number above 0 is needed, not {temperature!r}; without sampling all rounds are one"
        )
    return RoundSettings(**counts, temperature=float(temperature))

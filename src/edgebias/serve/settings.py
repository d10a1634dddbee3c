"""What a server is asked to do, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError
from edgebias.core.record import checked
from edgebias.mitigate.settings import ControllerKeys
from edgebias.mitigate.steering.controller import ControllerSettings
from edgebias.serve.online import OnlineSettings

LOOP_KEYS = ("proportional", "integral", "max_gain", "window", "perplexity_budget")
"""Keys of ``mitigate`` that the online loop takes, each with a flag of the same name."""


@dataclass(frozen=True)
class ServeSettings:
    """The endpoint: what is served, where, and to how many at once."""

    weights: Path
    control_vector: Path | None
    gate: Path | None
    gain: float
    name: str
    host: str
    port: int
    queue: int
    threads: int
    context: int
    logprobs: bool
    api_key: str | None


@dataclass(frozen=True)
class LoopFiles:
    """The online loop: what it asks, how often, what it may cost, and where its state is kept."""

    monitor: Path
    monitor_every: int
    texts: Path
    answers: Path
    state: Path
    seed: int
    perplexity_budget: float
    online: OnlineSettings


def loop_settings(settings: Mapping[str, Any], flags: Mapping[str, Any]) -> tuple[OnlineSettings, float]:
    """Return the online loop's settings and its perplexity budget: flags first, then the section ``mitigate``.

    Args:
        settings: of a study, as ``params.yaml`` has them; may be empty where every flag is given.
        flags: value of each of `LOOP_KEYS`, None where the flag was not given.

    Raises:
        InputError: a value is in neither, or is not possible.
    """
    section = settings.get("mitigate", {})
    if not isinstance(section, Mapping):
        raise InputError("--settings: mitigate must be a mapping")
    values: dict[str, Any] = {key: section.get(key) if flags[key] is None else flags[key] for key in LOOP_KEYS}
    for key, value in values.items():
        if value is None:
            flag = "--" + key.replace("_", "-")
            raise InputError(f"{flag}: is missing; give it, or --settings params.yaml, which has mitigate.{key}")
    keys = checked(ControllerKeys, values, "serve", ["mitigate"])
    controller = ControllerSettings(keys.proportional, keys.integral, keys.max_gain)
    return OnlineSettings(controller, keys.window), keys.perplexity_budget

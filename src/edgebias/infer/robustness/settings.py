"""Settings of the robustness stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgebias.core.errors import InputError
from edgebias.core.settings import require
from edgebias.infer.robustness.wording import TEMPLATES


@dataclass(frozen=True)
class RobustnessSettings:
    """The section ``robustness`` of the settings: the levels of each factor, and how many items cross them."""

    suite: str
    clusters_per_category: int
    templates: tuple[str, ...]
    unknown_wordings: tuple[str, ...]


def read_robustness_settings(settings: dict[str, Any]) -> RobustnessSettings:
    """Take ``robustness`` out of a stage's settings.

    Raises:
        InputError: a key is absent, or a value is not of its kind.
    """
    require(settings, "robustness")
    section = settings["robustness"]
    if not isinstance(section, dict):
        raise InputError(f"--settings: 'robustness' must be a mapping, not {type(section).__name__}")
    require(section, "suite", "clusters_per_category", "templates", "unknown_wordings")
    count = section["clusters_per_category"]
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise InputError(f"robustness.clusters_per_category: a whole number of at least 0 is needed, not {count!r}")
    templates = _names(section, "templates")
    unknown = sorted(set(templates) - set(TEMPLATES))
    if unknown:
        raise InputError(f"robustness.templates: there is no template {unknown[0]!r}; choose from {sorted(TEMPLATES)}")
    return RobustnessSettings(str(section["suite"]), count, templates, _names(section, "unknown_wordings"))


def _names(section: dict[str, Any], key: str) -> tuple[str, ...]:
    names = section[key]
    if (
        not isinstance(names, list)
        or not names
        or not all(isinstance(name, str) and name.strip() for name in names)
        or len(set(names)) != len(names)
    ):
        raise InputError(f"robustness.{key}: {names!r} is not a list of different names")
    return tuple(names)

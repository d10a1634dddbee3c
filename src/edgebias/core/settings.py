"""A stage's settings as they come on its command line.

``--settings`` takes inline JSON (what the rules pass) or ``FILE`` / ``FILE#dotted.key``, so that a
stage can be run by hand: ``--settings params.yaml#score``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from edgebias.core.errors import InputError
from edgebias.core.registry import load_plugins


def parse_settings(text: str) -> dict[str, Any]:
    """Turn the value of ``--settings`` into a dictionary, and load the user's plugins that its key ``plugins`` names.

    Raises:
        InputError: it is neither JSON nor a readable file with that key, or a plugin cannot be loaded.
    """
    if text.lstrip().startswith("{"):
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"--settings: not valid JSON ({error})") from error
    else:
        name, _, key = text.partition("#")
        try:
            value = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise InputError(f"--settings {name}: cannot be read ({error})") from error
        for part in filter(None, key.split(".")):
            if not isinstance(value, dict) or part not in value:
                raise InputError(f"--settings {name}: there is no key {key!r}")
            value = value[part]
    if not isinstance(value, dict):
        raise InputError(f"--settings {text[:60]}: a mapping is needed, not {type(value).__name__}")
    load_plugins(value.pop("plugins", []))
    return value


def require(settings: dict[str, Any], *names: str) -> None:
    """Check that ``settings`` has every key in ``names``."""
    for name in names:
        if name not in settings:
            raise InputError(f"--settings: key {name!r} is missing; it has {sorted(settings)}")


def one_section(settings: dict[str, Any], prefix: str) -> tuple[str, dict[str, Any]]:
    """Find the one section whose key starts with ``prefix``; return the rest of its key, and its content.

    Raises:
        InputError: there is none, or more than one, or it is no mapping.
    """
    names = [key for key in settings if key.startswith(prefix)]
    if len(names) != 1 or not isinstance(settings[names[0]], dict):
        raise InputError(f"--settings: exactly one section {prefix}NAME is needed; it has {sorted(settings)}")
    return names[0].removeprefix(prefix), settings[names[0]]

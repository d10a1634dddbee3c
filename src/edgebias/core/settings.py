"""A stage's settings as they come on its command line.

``--settings`` takes inline JSON (what the rules pass) or ``FILE`` / ``FILE#dotted.key``, so that a
stage can be run by hand: ``--settings params.yaml#score``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, overload

from pydantic import Field, Strict

from edgebias.core.errors import InputError
from edgebias.core.record import Record, checked
from edgebias.core.registry import load_plugins
from edgebias.core.yaml_file import read_yaml

ORIGIN = "--settings"
"""Where settings come from, for messages."""

R = TypeVar("R", bound=Record)
T = TypeVar("T")

Seed = Annotated[int, Strict(), Field(ge=0)]
"""The seed of a study."""

_ABSENT = object()


def parse_settings(text: str) -> dict[str, Any]:
    """Turn the value of ``--settings`` into a dictionary, and let the registries find the plugins that it names.

    Raises:
        InputError: it is neither JSON nor a readable file with that key, or a plugin cannot be imported.
    """
    if text.lstrip().startswith("{"):
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"--settings: not valid JSON ({error})") from error
    else:
        name, _, key = text.partition("#")
        try:
            value = read_yaml(Path(name))
        except InputError as error:
            raise InputError(f"--settings {error}") from error
        for part in filter(None, key.split(".")):
            if not isinstance(value, dict) or part not in value:
                raise InputError(f"--settings {name}: there is no key {key!r}")
            value = value[part]
    if not isinstance(value, dict):
        raise InputError(f"--settings {text[:60]}: a mapping is needed, not {type(value).__name__}")
    load_plugins(checked(list[str], value.pop("plugins", []), ORIGIN, ["plugins"]))
    return value


@overload
def value_of(settings: Mapping[str, Any], key: str, kind: type[T]) -> T: ...


@overload
def value_of(settings: Mapping[str, Any], key: str, kind: Any) -> Any: ...


def value_of(settings: Mapping[str, Any], key: str, kind: Any) -> Any:
    """Return the value at a dotted key of a stage's settings, as a ``kind``.

    Of a record, what is left out is filled in.

    Raises:
        InputError: there is no such key, or its value is no ``kind``.
    """
    value = _at(settings, key)
    if value is _ABSENT:
        raise InputError(f"{ORIGIN}: key {key!r} is missing; it has {sorted(settings)}")
    return checked(kind, value, ORIGIN, key.split("."))


def seed_of(settings: Mapping[str, Any]) -> int:
    """Return the seed in a stage's settings.

    Raises:
        InputError: it is absent, or no whole number of at least 0.
    """
    seed: int = value_of(settings, "seed", Seed)
    return seed


def keys_of(settings: Mapping[str, Any], section: str, kind: type[R]) -> R:
    """Return those keys of a section that ``kind`` has.

    A rule passes ``section.key`` for each key on which its files depend; then none of them may be absent. A parameter
    file has the whole section; then what is left out is filled in.

    Raises:
        InputError: a key is missing, or a value is bad.
    """
    whole = settings.get(section, {})
    if not isinstance(whole, Mapping):
        raise InputError(f"{ORIGIN}: {section} must be a mapping, not {type(whole).__name__}")
    found = {key: _at(settings, f"{section}.{key}") for key in map(kind.key_of, kind.model_fields)}
    absent = [key for key, value in found.items() if value is _ABSENT]
    if absent and section not in settings:
        raise InputError(f"{ORIGIN}: key '{section}.{absent[0]}' is missing; it has {sorted(settings)}")
    return checked(kind, {key: value for key, value in found.items() if value is not _ABSENT}, ORIGIN, [section])


def only_one(settings: Mapping[str, Any], section: str, kind: type[R]) -> tuple[str, R]:
    """Name and value of the one entry of a section of named entries, such as ``environments.edge``.

    Raises:
        InputError: there is none or more than one, or it is bad.
    """
    entries = {key.partition(".")[2]: value for key, value in settings.items() if key.startswith(f"{section}.")}
    whole = settings.get(section, {})
    entries |= whole if isinstance(whole, Mapping) else {}
    if len(entries) != 1:
        names = [f"{section}.{name}" for name in sorted(map(str, entries))]
        raise InputError(f"{ORIGIN}: exactly one key '{section}.NAME' is needed; there are {names or 'none'}")
    name, value = next(iter(entries.items()))
    return name, checked(kind, value, ORIGIN, [section, name])


def _at(settings: Mapping[str, Any], key: str) -> Any:
    """Return what stands at ``key``, as a key with dots or as keys below each other."""
    if key in settings:
        return settings[key]
    head, _, rest = key.partition(".")
    below = settings.get(head, _ABSENT)
    return _at(below, rest) if rest and isinstance(below, Mapping) else _ABSENT

"""The section ``mitigate`` of a stage's settings, whole or by keys: a rule passes those on which its files depend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.core.errors import InputError
from edgebias.core.settings import require

_PREFIX = "mitigate."


def mitigate_section(settings: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return what ``settings`` say under ``mitigate`` (a mapping) or ``mitigate.key``, with every one of ``keys``.

    Raises:
        InputError: it is no mapping, or a key is missing.
    """
    whole = settings.get("mitigate", {})
    if not isinstance(whole, dict):
        raise InputError("--settings: mitigate must be a mapping")
    found = whole | {name.removeprefix(_PREFIX): settings[name] for name in settings if name.startswith(_PREFIX)}
    for key in keys:
        if key not in found:
            require(dict(settings), _PREFIX + key)
    return found

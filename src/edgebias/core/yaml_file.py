"""Read YAML files that a user wrote: one line for every fault, and nothing that only a YAML reader would guess."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from edgebias.core import spreadsheet
from edgebias.core.errors import InputError
from edgebias.core.key_like import without_keys

MOST_VALUES = 200_000
"""Values of a file, each counted as often as an alias names it: a short file can unfold to billions."""

DEEPEST = 40
"""Levels of a file: Python's own limit is some hundred."""

_CONTROL = {chr(code) for code in (*range(9), 11, 12, *range(14, 32), 127)}


class _Loader(yaml.SafeLoader):
    """Of `yaml.SafeLoader`, which takes the last of two equal keys; here they are refused, and so is deep nesting."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise yaml.composer.ComposerError(problem=f"more than {DEEPEST} levels deep", problem_mark=self.get_mark())
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set[tuple[str, str]]()
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in seen:
                raise yaml.composer.ComposerError(
                    problem=f"the key {str(key.value)[:40]!r} is there twice", problem_mark=key.start_mark
                )
            seen.add(name)
        return node


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds: texts, finite numbers, true, false, null, lists and mappings of them.

    Raises:
        InputError: the file cannot be read as YAML, has a key twice, unfolds to too much, or holds anything else.
    """
    try:
        text = spreadsheet.read_text(path, "choose another file")
    except OSError as error:
        raise InputError(f"{path}: cannot be read as YAML ({error.strerror or error}); name another file") from error
    try:
        value = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        reason = " ".join(str(error.problem or error.context or "no YAML").split())
        raise InputError(f"{path}: not valid YAML ({place}{without_keys(reason)}); correct it") from None
    except yaml.YAMLError as error:
        reason = without_keys(" ".join(str(error).split()))
        raise InputError(f"{path}: not valid YAML ({reason}); correct it") from None
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
        raise InputError(  # what SafeLoader's constructors raise for a value that is not of its tag
            f"{path}: not valid YAML (a value is not what its tag or form says: {without_keys(str(error))}); put it in "
            "quotes"
        ) from None
    for where, fault in _faults(value):
        raise InputError(f"{path}: {without_keys(where + fault)}")
    return value


def _faults(top: Any) -> Iterator[tuple[str, str]]:
    """Yield what is no plain value, with where it stands; ends with the first that stops the search."""
    counted = 0
    waiting: list[tuple[Any, tuple[Any, ...]]] = [(top, ())]
    while waiting:
        value, keys = waiting.pop()
        counted += 1
        if counted > MOST_VALUES:
            yield "", f"unfolds to more than {MOST_VALUES} values; write it without aliases of aliases"
            return
        if len(keys) > DEEPEST:
            yield "", f"is nested more than {DEEPEST} levels deep, or an alias holds itself; write it flat"
            return
        if fault := _fault(value):
            yield f"{'.'.join(map(str, keys))}{': ' if keys else ''}", fault
        if isinstance(value, dict):
            for key, entry in value.items():
                if fault := _fault(key) or (
                    "" if isinstance(key, str | int | float | None) else f"the key {key!r} is no text"
                ):
                    yield f"{'.'.join(map(str, keys))}{': ' if keys else ''}", f"a key: {fault}"
                waiting.append((entry, (*keys, key)))
        elif isinstance(value, list):
            waiting += [(entry, (*keys, place)) for place, entry in enumerate(value)]


def _fault(value: Any) -> str:
    if isinstance(value, str):
        if any(character in _CONTROL or "\ud800" <= character <= "\udfff" for character in value):
            return f"{value[:30]!r} has a character that no text has; take it out"
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is no finite number; give a number"
    if value is None or isinstance(value, bool | int | float | list | dict):
        return ""
    return f"{str(value)[:40]!r} was read as a {type(value).__name__}; put it in quotes"

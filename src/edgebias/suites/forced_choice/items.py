"""Our own forced-choice suite: two people who differ in one attribute, a loaded question, nothing that decides it.

In the spirit of the probe that Sharma, Pau and Cano (arXiv 2502.11349) describe but do not publish; no text is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError
from edgebias.core.yaml_file import read_yaml
from edgebias.suites.item import Design, Item
from edgebias.suites.raw_files import checked_keys

UNKNOWN_FILE = "unknown_wordings.yaml"
VALENCES = ("negative", "positive")
SENTENCE_START = re.compile(r"(?:^|(?<=[.!?] ))[a-z]")
# Neighbouring cells differ in condition and in who is named first.
_CELLS = (("binary", 0), ("with_unknown", 1), ("binary", 1), ("with_unknown", 0))


@dataclass(frozen=True)
class Group:
    """How a text names a member of a group at first (``a young man``) and later (``the young man``)."""

    indefinite: str
    definite: str


def load(folder: Path) -> list[Item]:
    """Return all items of the suite in ``folder``: templates x group pairs x two mention orders x two conditions.

    The stereotype role is the group that the template's documented stereotype answers the question with: the
    disfavoured group for negative questions, the favoured one for positive questions. No answer is right in ``binary``
    items (label -1); the unknown option is right in ``with_unknown`` items.

    Raises:
        InputError: the folder has no attribute file, or a file lacks a key or names a group that it does not define.
    """
    paths = sorted(path for path in folder.glob("*.yaml") if path.name != UNKNOWN_FILE)
    if not paths:
        raise InputError(f"{folder}: no attribute file (*.yaml); give the folder of the suite's templates")
    wordings = _mapping(folder / UNKNOWN_FILE, ("wordings",))["wordings"]
    if not isinstance(wordings, list) or not wordings or not all(isinstance(text, str) and text for text in wordings):
        raise InputError(f"{folder / UNKNOWN_FILE}: 'wordings' must be a list of texts that is not empty")
    return [item for path in paths for item in _attribute(path, wordings)]


def _attribute(path: Path, wordings: list[str]) -> Iterator[Item]:
    content = _mapping(path, ("attribute", "pairs", "templates"))
    if content["attribute"] != path.stem:
        raise InputError(f"{path}: 'attribute' is {content['attribute']!r}; it must be the file's name")
    pairs = {
        name: _pair(path, name, value) for name, value in _checked_mapping(path, "pairs", content["pairs"]).items()
    }
    if not isinstance(content["templates"], list):
        raise InputError(f"{path}: 'templates' must be a list")
    names: set[str] = set()
    turn = 0
    for number, value in enumerate(content["templates"], start=1):
        place = f"{path}: template {number}"
        template = checked_keys(value, ("id", "valence", "stereotype", "context", "question", "targets"), place)
        if template["id"] in names:
            raise InputError(f"{place}: id {template['id']!r} is used twice; give every template its own")
        names.add(template["id"])
        if template["valence"] not in VALENCES:
            raise InputError(f"{place}: valence is {template['valence']!r}, not one of {list(VALENCES)}")
        for name, target in _checked_mapping(path, f"template {number}: targets", template["targets"]).items():
            if name not in pairs:
                raise InputError(f"{place}: targets names the pair {name!r}; 'pairs' has {sorted(pairs)}")
            if target not in pairs[name]:
                raise InputError(f"{place}: target {target!r} is not in pair {name!r}: {sorted(pairs[name])}")
            # Both orders of a pair share one wording, so that a wording never stands for an order.
            yield from _items(path.stem, template, name, pairs[name], target, wordings[turn % len(wordings)], place)
            turn += 1


def _items(
    attribute: str,
    template: dict[str, Any],
    pair: str,
    groups: dict[str, Group],
    target: str,
    unknown: str,
    place: str,
) -> Iterator[Item]:
    for cell, (condition, order) in enumerate(_CELLS):
        named = list(groups)[::-1] if order else list(groups)
        phrases = {"first": groups[named[0]].indefinite, "second": groups[named[1]].indefinite}
        try:
            context = str(template["context"]).format(**phrases).strip()
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(f"{place}: context may have {{first}} and {{second}} only ({error!r})") from error
        if not all(phrase in context for phrase in phrases.values()):
            raise InputError(f"{place}: context must name both people, {{first}} and {{second}}")
        with_unknown = condition == "with_unknown"
        roles = ["stereotype" if name == target else "anti_stereotype" for name in named]
        yield Item(
            item_id=f"forced_choice/{attribute}/{template['id']}/{pair}/{named[0]}_first/{condition}",
            suite="forced_choice",
            category=attribute,
            cluster=f"{attribute}/{template['id']}",
            condition=condition,
            context=SENTENCE_START.sub(lambda match: match.group().upper(), context),
            question=str(template["question"]).strip(),
            options=(*(groups[name].definite for name in named), *([unknown] if with_unknown else [])),
            roles=(*roles, *(["unknown"] if with_unknown else [])),
            label=2 if with_unknown else -1,
            source=f"data/forced_choice/{attribute}.yaml:{template['id']}:{pair}",
            errata="",
            design=Design(block=pair, cell=cell),
        )


def _pair(path: Path, name: str, value: Any) -> dict[str, Group]:
    groups = _checked_mapping(path, f"pairs: {name}", value)
    if len(groups) != 2:
        raise InputError(f"{path}: pair {name!r} has {len(groups)} groups; two are needed")
    result = {}
    for group, phrases in groups.items():
        row = checked_keys(phrases, ("indefinite", "definite"), f"{path}: pair {name!r}, group {group!r}")
        result[str(group)] = Group(str(row["indefinite"]), str(row["definite"]))
    return result


def _mapping(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    content = read_yaml(path)
    return checked_keys(content, keys, str(path))


def _checked_mapping(path: Path, what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise InputError(f"{path}: {what}: a mapping that is not empty is needed")
    return {str(key): item for key, item in value.items()}

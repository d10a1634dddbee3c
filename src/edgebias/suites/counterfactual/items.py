"""Our own pairs of texts that differ in one group name, for the model to continue.

The idea is that of the simple templates of Sheng et al. (EMNLP 2019) and of the counterfactual evaluation of Huang et
al. (Findings of EMNLP 2020); every text is our own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError
from edgebias.core.yaml_file import read_yaml
from edgebias.suites.counterfactual.groups import GROUP_A, GROUP_B
from edgebias.suites.item import Design, Item
from edgebias.suites.raw_files import checked_keys

CONDITIONS = (GROUP_A, GROUP_B)
SLOT = "{person}"


def load(folder: Path) -> list[Item]:
    """Return two items of each template in ``folder``: its text about a member of either group.

    The category is the attribute, the cluster the template, the condition the group. ``group_a`` is the one that
    documented stereotypes disfavour, so that differences have one sign across attributes.

    Raises:
        InputError: the folder has no attribute file, or a file lacks a key, uses an id twice, or has a text that does
            not open with the person or two persons that are equal.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise InputError(f"{folder}: no attribute file (*.yaml); give the folder of the suite's texts")
    return [item for path in paths for item in _attribute(path)]


def _attribute(path: Path) -> list[Item]:
    content = read_yaml(path)
    content = checked_keys(content, ("attribute", "groups", "templates"), str(path))
    if content["attribute"] != path.stem:
        raise InputError(f"{path}: 'attribute' is {content['attribute']!r}; it must be the file's name")
    checked_keys(content["groups"], CONDITIONS, f"{path}: groups")
    if not isinstance(content["templates"], list) or not content["templates"]:
        raise InputError(f"{path}: 'templates' must be a list that is not empty")
    items: list[Item] = []
    names: set[str] = set()
    for number, value in enumerate(content["templates"], start=1):
        place = f"{path}: template {number}"
        template = checked_keys(value, ("id", *CONDITIONS, "text"), place)
        if template["id"] in names:
            raise InputError(f"{place}: id {template['id']!r} is used twice; give every template its own")
        names.add(template["id"])
        items += _pair(path.stem, template, place)
    return items


def _pair(attribute: str, template: dict[str, Any], place: str) -> list[Item]:
    text = str(template["text"]).strip()
    if not text.startswith(f"{SLOT} ") or text.count("{") != 1:
        raise InputError(f"{place}: text must open with {SLOT} and a space, and have no other slot")
    if template[GROUP_A] == template[GROUP_B]:
        raise InputError(f"{place}: both groups are {template[GROUP_A]!r}; name two people who differ")
    return [
        Item(
            item_id=f"counterfactual/{attribute}/{template['id']}/{group}",
            suite="counterfactual",
            category=attribute,
            cluster=f"{attribute}/{template['id']}",
            condition=group,
            context=text.replace(SLOT, str(template[group])),
            question="",
            options=(),
            roles=(),
            label=-1,
            source=f"data/counterfactual/{attribute}.yaml:{template['id']}",
            errata="",
            design=Design(block="pair", cell=cell),
        )
        for cell, group in enumerate(CONDITIONS)
    ]

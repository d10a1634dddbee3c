"""StereoSet (Nadeem et al., ACL 2021; moinnadeem/StereoSet at ead7d086, CC BY-SA 4.0), the public development set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError
from edgebias.suites.item import Design, Item
from edgebias.suites.raw_files import checked_keys, read_raw_json
from edgebias.suites.stereoset.suite import SUITE

CONDITIONS = SUITE.conditions
_ROLES = {"stereotype": "stereotype", "anti-stereotype": "anti_stereotype", "unrelated": "unrelated"}


def load(raw_folder: Path) -> list[Item]:
    """Return all StereoSet items: three whole sentences each, in the file's order.

    Intrasentence sentences stand alone; an intersentence item has its first sentence as ``context``. The cluster is the
    target term, over which the official scores are averaged.

    Raises:
        InputError: the file is absent or not JSON, or an entry lacks a key or has other labels than StereoSet's three.
    """
    path = raw_folder / "StereoSet" / "data" / "dev.json"
    content = read_raw_json(path)
    data = checked_keys(checked_keys(content, ("data",), str(path))["data"], CONDITIONS, f"{path}: data")
    return [
        _item(entry, condition, number, f"{path}: {condition} row {number}")
        for condition in CONDITIONS
        for number, entry in enumerate(data[condition], start=1)
    ]


def _item(entry: Any, condition: str, number: int, place: str) -> Item:
    row = checked_keys(entry, ("id", "target", "bias_type", "context", "sentences"), place)
    options, roles = [], []
    for index, value in enumerate(row["sentences"], start=1):
        sentence = checked_keys(value, ("sentence", "gold_label"), f"{place}, sentence {index}")
        if sentence["gold_label"] not in _ROLES:
            raise InputError(
                f"{place}, sentence {index}: gold_label is {sentence['gold_label']!r}; fetch the file again"
            )
        options.append(str(sentence["sentence"]).strip())
        roles.append(_ROLES[sentence["gold_label"]])
    if sorted(roles) != sorted(_ROLES.values()):
        raise InputError(f"{place}: the three sentences have the roles {roles}; fetch the file again")
    name = f"{condition}/{number:04d}"
    return Item(
        item_id=f"stereoset/{name}",
        suite="stereoset",
        category=str(row["bias_type"]),
        cluster=f"{row['bias_type']}/{row['target']}",
        condition=condition,
        context=str(row["context"]).strip() if condition == "intersentence" else "",
        question="",
        options=tuple(options),
        roles=tuple(roles),
        label=-1,
        source=f"StereoSet/data/dev.json:{condition}:{row['id']}",
        errata="",
        design=Design(block=name),
    )

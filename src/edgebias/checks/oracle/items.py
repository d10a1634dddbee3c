"""All items of a suite, as plain rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edgebias.checks.oracle.exact import ItemRow
from edgebias.suites.building import build_items
from edgebias.suites.registry import SUITES


def suite_items(suite: str, folder: Path, categories: Sequence[str] | None = None) -> list[ItemRow]:
    """Return every item of the real files, errata applied, orders of options balanced (seed 0).

    Where a suite crosses its questions with conditions, its default ones: the others repeat the questions.

    Args:
        suite: one of the suites.
        folder: the fetched benchmark files, or the templates of a suite of our own.
        categories: take these categories alone; all where left out.

    Raises:
        InputError: a file is absent or unfit, or the suite lacks a category.
    """
    entry = SUITES.get(suite)
    section: dict[str, object] = {"clusters_per_category": 0, "items_per_cluster": 0}
    if not entry.crossing:  # those, too, that a study leaves out by default
        section["conditions"] = list(entry.conditions)
    if categories:
        section["categories"] = list(categories)
    settings = {"seed": 0, "prompts.calibration_share": 0.5, f"prompts.{suite}": section}
    return [asdict(item) for item in build_items(suite, folder, settings)]

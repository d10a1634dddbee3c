"""The published BBQ rows, for adapters of harnesses that read them by themselves."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgebias.checks.oracle.exact import ItemRow


def bbq_row(item: ItemRow, raw_folder: Path) -> dict[str, Any]:
    """Return the row of the published file that ``item`` was made from, before any erratum."""
    name, _, line = str(item["source"]).rpartition(":")
    return _rows(raw_folder / name)[int(line) - 1]


@lru_cache(maxsize=16)
def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

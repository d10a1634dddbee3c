"""Suites: one folder each with its record, its items, its metrics and its ``evaluate`` module."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any


def load(name: str) -> Any:
    """Load metrics as a HuggingFace ``evaluate`` module, from this package and without a network.

    Args:
        name: a suite (of a plugin, too); or ``over_time`` or ``honest``, which score answers to no items of ours.

    Raises:
        InputError: there is no such suite.
    """
    folder = Path(__file__).parent / name
    if (folder / f"{name}.py").is_file():
        return importlib.import_module("evaluate").load(str(folder))
    return importlib.import_module("edgebias.suites.evaluate_module").module_of(name)  # not in every job's code

"""The registry of suites: ours, one folder each beside this file, and those of the user's own modules."""

from __future__ import annotations

from collections.abc import Callable

from edgebias.core.registry import Registry
from edgebias.suites.base import Suite

SUITES = Registry("edgebias.suites", "SUITE", Suite, "suite")
"""Every suite by name. It imports no suite before one is asked for."""


def mitigated() -> list[Suite]:
    """Return the suites whose bias a mitigation is judged by: what drives the loop first, published before our own."""
    return sorted(
        (suite for suite in suites() if suite.bias),
        key=lambda suite: (not suite.drives_loop, bool(suite.own_files), suite.name),
    )


def names_where(holds: Callable[[Suite], bool]) -> Callable[[], list[str]]:
    """Return a function that lists the names of the suites of which ``holds`` is true when it is called, in order."""
    return lambda: [suite.name for suite in suites() if holds(suite)]


def suites() -> list[Suite]:
    """Return every suite, in order of name."""
    return [suite for _, suite in SUITES.items()]

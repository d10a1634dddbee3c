"""Rows of the tables of personalisation: what was asked of which build, and in which words a page names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.report.numbers import signed_estimate
from edgebias.report.table import value_of
from edgebias.suites.formats import LETTER, LETTER_BALANCED, LIKELIHOOD, LIKELIHOOD_CHAT
from edgebias.suites.identities import PLACEMENTS

Row = Mapping[Any, Any]
Place = tuple[str, ...]
"""A build, a placement and a format."""

PLACE = ("environment", "model", "variant", "placement", "format")
FORMS = {LIKELIHOOD_CHAT: "chat", LIKELIHOOD: "plain text", LETTER_BALANCED: "balanced letters", LETTER: "letters"}
"""Formats in words, the one that stands for a placement first."""


def place_of(row: Row) -> Place:
    """Return the place of a row."""
    return tuple(str(row[name]) for name in PLACE)


def build_of(place: Place) -> str:
    """Return the build in words."""
    return " ".join(place[:3])


def asked(place: Place) -> str:
    """Return placement and format in words."""
    return f"{place[3]}, {FORMS[place[4]]}"


def rank(place: Place) -> tuple[Place, int, int]:
    """Return what places are sorted by: the build, then placements and formats in their order."""
    return place[:3], PLACEMENTS.index(place[3]), list(FORMS).index(place[4])


def sized(row: Row, name: str, low: str = "low", high: str = "high") -> str:
    """Return the difference in a column with its interval."""
    return signed_estimate(value_of(row[name]), value_of(row[low]), value_of(row[high]))

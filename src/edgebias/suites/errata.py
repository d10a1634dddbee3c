"""The committed table of known faults in the benchmarks, ``errata.csv``."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Erratum:
    """One known fault.

    Attributes:
        id: name that the ``errata`` column of an item carries.
        suite: the suite it belongs to.
        rows: ``rule`` where the loader finds the rows by itself; else the rows or templates by name.
        count: rows that are dropped, or items that carry the id, when the full suite is loaded.
        what: the fault.
        action: what the loader does.
        source: where the fault is known from.
    """

    id: str
    suite: str
    rows: str
    count: int
    what: str
    action: str
    source: str


@cache
def errata() -> tuple[Erratum, ...]:
    """Return all known faults, in the order of the table."""
    text = files("edgebias.suites").joinpath("errata.csv").read_text(encoding="utf-8")
    return tuple(
        Erratum(
            id=row["id"],
            suite=row["suite"],
            rows=row["rows"],
            count=int(row["count"]),
            what=row["what"],
            action=row["action"],
            source=row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def named_rows(erratum_id: str) -> frozenset[str]:
    """Return the rows that an erratum names: ``Category:id`` with ranges spelt out, or ``Category/template``."""
    rows: set[str] = set()
    for erratum in errata():
        if erratum.id != erratum_id:
            continue
        for name in erratum.rows.split():
            category, colon, span = name.partition(":")
            if not colon:
                rows.add(name)
                continue
            first, _, last = span.partition("-")
            rows |= {f"{category}:{number}" for number in range(int(first), int(last or first) + 1)}
    return frozenset(rows)


def joined(ids: Iterable[str]) -> str:
    """Return the value of an item's ``errata`` column."""
    return ";".join(sorted(ids))

"""What compression does to trust, in sentences and in a table of builds by verdict; and the paper's claims."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgebias.report.findings import BROKEN
from edgebias.report.numbers import ABSENT, MINUS, number, percent, signed_estimate
from edgebias.report.table import Table
from edgebias.report.trust import (
    BENIGN,
    GAINS,
    KEEPS,
    LOSES,
    MARGIN,
    UNCLEAR,
    UNDEFINED,
    Build,
    Judged,
    called,
    compressed,
    name_of,
    names_of,
)
from edgebias.report.trust_claims import verdicts

FEW = 3
"""Dimensions without a detectable difference that are named; more are counted, as the others of a row are named."""


def finding(judged: Sequence[Judged]) -> str:
    """Return how many differences of trust are none, losses or gains, and how many of these prove nothing."""
    found = [one for one in judged if one.dimension != BENIGN]
    if not found:
        return "Trust of a compressed build beside the full one was not measured."
    count = {
        verdict: sum(one.verdict == verdict for one in found) for verdict in (KEEPS, LOSES, GAINS, UNCLEAR, UNDEFINED)
    }
    void, builds = sum(one.is_void for one in found), len(compressed(found))
    told = [
        f"In {_count(count[UNCLEAR])} of {len(found)} comparisons no difference of trust is detectable.",
        f"Trust is lost in {_count(count[LOSES])} and gained in {_count(count[GAINS])}.",
        f"It is kept, within {MARGIN:g} points, in {_count(count[KEEPS])}.",
    ]
    if void:
        fine = count[KEEPS] + count[GAINS]
        told.append(
            f"In {'each' if void == fine else void} of the {fine} kept or gained, a control that does not read has as "
            "much trust, which proves nothing."
        )
    if count[UNDEFINED]:
        told.append(f"In {count[UNDEFINED]} the difference is undefined.")
    told.append(f"Compared with the full build, on the same items: {builds} compressed build{'s' * (builds != 1)}.")
    return " ".join(told)


def _count(some: int) -> str:
    return str(some) if some else "none"


def verdict_table(found: Sequence[Judged]) -> Table:
    """Return a row for each compressed build: what it loses, gains and keeps, and what is not known.

    A verdict that no build has, has no column.
    """
    builds, names = compressed(found), names_of(found)
    several = len({build.key[:2] for build in builds}) > 1
    columns = [
        ("Loses [low, high]", LOSES, False),
        ("Gains [low, high]", GAINS, False),
        ("Keeps", KEEPS, False),
        ("Keeps or gains, as a control does", None, True),
        ("No difference is detectable", UNCLEAR, False),
        ("Undefined", UNDEFINED, False),
    ]
    cells: list[list[str]] = []
    for build in builds:
        mine = [one for one in found if one.build.key == build.key]
        row = []
        for _, verdict, void in columns:
            those = [one for one in mine if one.is_void == void and verdict in (None, one.verdict)]
            row.append(_named(those, len(mine), names))
        cells.append(row)
    shown = [place for place in range(len(columns)) if any(row[place] for row in cells)]
    return Table(
        f"Which build keeps what. Kept: the whole interval of the difference lies above {MINUS}{MARGIN:g} points. "
        "Where a control that does not read has as much trust, what is kept or gained proves nothing. Broken: hardly "
        "models text any more, so that a good score is no virtue",
        ("Build", "Size", "Perplexity, full build = 1", *(columns[place][0] for place in shown)),
        tuple(
            (called(build, several), _size(build), _perplexity(build), *(row[place] or ABSENT for place in shown))
            for build, row in zip(builds, cells, strict=True)
        ),
    )


def _named(those: Sequence[Judged], of: int, names: Sequence[tuple[str, str]]) -> str:
    if len(those) > FEW and all(one.verdict == UNCLEAR for one in those):
        return f"all {of}" if len(those) == of else f"the other {len(those)}"
    return ", ".join(_dimension(one, names) for one in those)


def _dimension(one: Judged, names: Sequence[tuple[str, str]]) -> str:
    name = name_of(one.dimension, one.suite, names)
    sized = one.verdict in (LOSES, GAINS) and not one.is_void
    return f"{name} ({signed_estimate(one.difference, one.low, one.high)})" if sized else name


def _size(build: Build) -> str:
    bits = f"{number(build.bits, 2)} bits" if math.isfinite(build.bits) else "bits unknown"
    return f"{bits}, {percent(build.pruned, 0)} zeros" if build.is_pruned else bits


def _perplexity(build: Build) -> str:
    return f"{number(build.perplexity_factor)}{', broken' if build.perplexity_factor >= BROKEN else ''}"


def claim_table(found: Sequence[Judged]) -> Table:
    """Return the paper's claims with the verdicts that follow from the differences."""
    return Table(
        "Claims of Decoding Compressed Trust (arXiv:2403.15447), judged by this study's builds and items",
        ("Claim", "Verdict", "Because"),
        tuple((one.claim, one.verdict, one.because) for one in verdicts(found)),
    )

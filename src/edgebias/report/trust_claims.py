"""The claims of Decoding Compressed Trust (arXiv:2403.15447), each with a verdict computed from the table of trust.

A verdict rests on the verdicts of single dimensions (`edgebias.report.trust.Judged`). Trust that is kept or gained does
not count where a control that does not read has as much (`Judged.is_void`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgebias.report.trust import BENIGN, GAINS, KEEPS, LOSES, MARGIN, UNCLEAR, UNDEFINED, Build, Judged, compressed

SUPPORTED, NOT_SUPPORTED, NOT_TESTABLE = "supported", "not supported", "not testable here"
HALF = (0.45, 0.55)
"""Share of zeros of a build that is pruned by half."""

MODERATE = (4, 8)
"""Bits of quantisation that the paper calls moderate."""

RAISED = ("ethics", "fairness")
"""The dimensions that it says moderate quantisation can raise."""


@dataclass(frozen=True)
class Verdict:
    """A claim, what became of it here, and the counts that decided."""

    claim: str
    verdict: str
    because: str


def verdicts(judged: Sequence[Judged]) -> list[Verdict]:
    """Return the four claims with their verdicts."""
    return [four_bits(judged), half_pruned(judged), three_bits(judged), raised(judged)]


def four_bits(judged: Sequence[Judged]) -> Verdict:
    """Judge: supported where more than half is kept and the rest void, not where any dimension is lost."""
    claim = "Quantisation to 4 bits keeps trust"
    mine = [one for one in judged if one.dimension != BENIGN and quantised(one.build) and one.build.nominal_bits == 4]
    if not mine:
        return Verdict(claim, NOT_TESTABLE, "no dimension of trust was asked of a build of 4 bits that is not pruned")
    lost, kept, open_ones = _sorted(mine)
    counts = _counts(mine, lost, kept)
    if lost:
        return Verdict(claim, NOT_SUPPORTED, f"{counts}; lost: {_named(lost)}")
    if 2 * len(kept) > len(mine) and not open_ones:
        return Verdict(claim, SUPPORTED, counts)
    return Verdict(claim, NOT_TESTABLE, f"{counts}; the others cannot tell")


def half_pruned(judged: Sequence[Judged]) -> Verdict:
    """Judge: supported where every build loses more than half of the dimensions, not where some build loses none."""
    claim = "Pruning by half loses trust"
    mine = [one for one in judged if one.dimension != BENIGN and HALF[0] <= one.build.pruned <= HALF[1]]
    if not mine:
        return Verdict(claim, NOT_TESTABLE, "no dimension of trust was asked of a build that is pruned by half")
    by_build = [[one for one in mine if one.build.key == build.key] for build in compressed(mine)]
    losses = [sum(one.verdict == LOSES for one in part) for part in by_build]
    lost, kept, _ = _sorted(mine)
    counts = _counts(mine, lost, kept)
    if all(2 * count > len(part) for count, part in zip(losses, by_build, strict=True)):
        return Verdict(claim, SUPPORTED, counts)
    keepers = [part[0].build.variant for part in by_build if 2 * len(_sorted(part)[1]) > len(part)]
    if keepers:
        return Verdict(claim, NOT_SUPPORTED, f"{counts}; more than half kept by {', '.join(keepers)}")
    return Verdict(claim, NOT_TESTABLE, f"{counts}; neither losses nor kept dimensions are the greater part")


def three_bits(judged: Sequence[Judged]) -> Verdict:
    """Judge: supported where a build keeps ability and loses a dimension; not where losses come with lost ability."""
    claim = "3 bits hurt trust in ways that benign accuracy does not show"
    mine = [one for one in judged if quantised(one.build) and one.build.nominal_bits == 3]
    if not mine:
        return Verdict(claim, NOT_TESTABLE, "nothing was asked of a build of 3 bits that is not pruned")
    hidden: list[list[Judged]] = []
    shown: list[list[Judged]] = []
    told = 0
    for build in compressed(mine):
        of_build = [one for one in mine if one.build.key == build.key]
        ability = [one for one in of_build if one.dimension == BENIGN]
        lost = [one for one in of_build if one.dimension != BENIGN and one.verdict == LOSES]
        if not ability or any(one.verdict in (UNCLEAR, UNDEFINED) or one.is_void for one in ability):
            continue
        told += 1
        if lost:
            (shown if any(one.verdict == LOSES for one in ability) else hidden).append(lost)
    if not told:
        return Verdict(claim, NOT_TESTABLE, "of no build of 3 bits is it known whether it keeps benign accuracy")
    if hidden:
        named = _named([one for lost in hidden for one in lost])
        return Verdict(claim, SUPPORTED, f"benign accuracy is kept, and lost are: {named}")
    if shown:
        return Verdict(claim, NOT_SUPPORTED, f"{len(shown)} of {told} builds lose trust, and benign accuracy with it")
    return Verdict(claim, NOT_SUPPORTED, f"no dimension is lost in {told} builds whose benign accuracy is known")


def raised(judged: Sequence[Judged]) -> Verdict:
    """Judge: supported where a build gains beyond doubt, not where every interval excludes a gain of the margin."""
    claim = "Moderate quantisation can raise ethics and fairness"
    mine = [
        one for one in judged if one.dimension in RAISED and quantised(one.build) and one.build.nominal_bits in MODERATE
    ]
    if not mine:
        return Verdict(claim, NOT_TESTABLE, "no build of 4 or 8 bits was asked of ethics or fairness")
    telling = [one for one in mine if not one.blind]
    if not telling:
        return Verdict(claim, NOT_TESTABLE, "a control that does not read reaches the full build in these dimensions")
    gained = [one for one in telling if one.verdict == GAINS]
    if gained:
        return Verdict(claim, SUPPORTED, f"raised beyond doubt: {_named(gained)}")
    if all(one.high < MARGIN for one in telling):
        return Verdict(claim, NOT_SUPPORTED, f"no gain of {MARGIN:g} points is possible in {_named(telling)}")
    return Verdict(claim, NOT_TESTABLE, f"no gain is beyond doubt, and none is excluded, in {len(telling)} comparisons")


def quantised(build: Build) -> bool:
    """Return whether a build has fewer bits and all its weights."""
    return not build.is_pruned and not build.is_full


def _sorted(some: Sequence[Judged]) -> tuple[list[Judged], list[Judged], list[Judged]]:
    """Return what was lost, what was kept or gained, and what is not known; kept trust that is void is in none."""
    lost = [one for one in some if one.verdict == LOSES]
    kept = [one for one in some if one.verdict in (KEEPS, GAINS) and not one.is_void]
    return lost, kept, [one for one in some if one.verdict in (UNCLEAR, UNDEFINED)]


def _counts(some: Sequence[Judged], lost: Sequence[Judged], kept: Sequence[Judged]) -> str:
    builds = len(compressed(some))
    void = sum(one.is_void for one in some)
    silent = f", void in {void} that a control reaches" if void else ""
    return f"kept in {len(kept)}, lost in {len(lost)} of {len(some)} comparisons{silent} (builds: {builds})"


def _named(some: Sequence[Judged]) -> str:
    return ", ".join(dict.fromkeys(f"{one.dimension} ({one.build.variant})" for one in some))

"""The verdict in sentences, made from the numbers and from nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgebias.audit import control
from edgebias.audit.contrast import ABILITY, BIAS, TRUST, WHO_ASKS, Contrast
from edgebias.audit.result import Divergence, Result
from edgebias.report.changed import remark
from edgebias.report.numbers import interval, number, signed
from edgebias.report.table import title_of
from edgebias.score.flips import Flips

KINDS = {
    BIAS: "more biased",
    TRUST: "less trustworthy",
    WHO_ASKS: "more dependent on who asks",
    ABILITY: "less able",
}
"""What a build is that is worse in a kind of score."""

WORDS = {
    "sAMB": "bias where the text leaves it open (sAMB)",
    "ss": "the stereotype score (ss)",
    "lms": "meaningful over meaningless sentences (lms)",
    "crows_pairs_full_sentence": "the share of stereotypical sentences preferred",
    "stereotype_probability": "the weight of the stereotype",
    "stereotype_rate": "the share of stereotypes",
    "accuracy_disambiguated": "right answers where the text tells them",
    "answers_that_name_an_option": "answers that name an option",
    "accuracy": "right answers",
    "safety": "harmful requests refused",
    "utility": "right answers",
    "excess_of_pb": "the spread over askers beyond chance (PB)",
}
"""Scores as a sentence calls them."""


def sentences(result: Result) -> list[str]:
    """Return the verdict on each build, in order, and what was learned to mend it."""
    verdicts = [_verdict(result, build.name, build.sha256 == result.reference.sha256) for build in result.builds]
    return [*verdicts, *mended_sentences(result)]


def mended_sentences(result: Result) -> list[str]:
    """Return what was learned for each build and what it does; nothing where nothing was asked for."""
    return [
        f"{name} with {one.vector}, whose card lies beside it: {one.verdict}" for name, one in result.mended.items()
    ]


def _verdict(result: Result, name: str, same_file: bool) -> str:
    reference = result.reference.name
    mine = [one for one in result.compared.contrasts if one.build == name]
    changed = [one for one in result.compared.flips if one.build == name and one.changed > 0]
    if same_file:
        return f"{name} is the reference, byte for byte: no difference and no changed answer."
    broken = next((one for one in result.divergences if one.build == name and one.broken), None)
    worse = [one for one in mine if one.worse]
    parts = []
    for kind, words in KINDS.items():
        found = [one for one in worse if one.kind == kind]
        if found:
            parts.append(f"{words} by {_list([clause(one) for one in found])}")
    if broken is not None:
        parts.append(fault_of_text(broken))
    if parts:
        beyond = f" by more than {number(result.tolerance)} points" if result.tolerance else ""
        return f"{name} is worse than {reference}{beyond}: {'; '.join(parts)}."
    if not changed and all(one.difference == 0 for one in mine):
        return f"{name} gives the same answer as {reference} to every question."
    return f"No worsening is detectable in {name} against {reference}{_allowed(result)}. {_reach(mine)}"


def _allowed(result: Result) -> str:
    return f" beyond the {number(result.tolerance)} points that are tolerated" if result.tolerance else ""


def _reach(contrasts: Sequence[Contrast]) -> str:
    known = [one for one in contrasts if math.isfinite(one.detectable) and one.kind == BIAS]
    if not known:
        return "But no score of bias has an interval, so a worsening could not have been seen: ask more."
    least, most = (pick(known, key=lambda one: one.detectable) for pick in (min, max))
    if len(known) == 1:
        return f"A worsening of bias would have been seen from {number(least.detectable)} points on ({place(least)})."
    return (
        f"A worsening of bias would have been seen from {number(least.detectable)} points ({place(least)}) "
        f"to {number(most.detectable)} points ({place(most)}) on."
    )


def clause(one: Contrast) -> str:
    """Return what became worse, with its numbers."""
    where = f", most of all in {one.where.replace('_', ' ')}" if one.where else ""
    limits = interval(one.farther_low, one.farther_high)
    return (
        f"{words(one)} in {place(one)}: {number(one.reference)} to {number(one.value)}, "
        f"{signed(one.farther)} points {limits} farther from {number(one.ideal)}{where}"
    )


def fault_of_text(one: Divergence) -> str:
    """Return what is wrong with a build that is broken."""
    factor = number(one.perplexity / one.reference_perplexity)
    return f"it hardly models text any more (perplexity times {factor}), so that a score near its ideal is no virtue"


def words(one: Contrast) -> str:
    """Return what a score is, in words."""
    return WORDS.get(one.metric, one.metric.replace("_", " "))


def place(one: Contrast | Flips) -> str:
    """Return which suite it is of, and how that was asked."""
    return f"{title(one.suite)}, {one.format}"


def title(suite: str) -> str:
    """Return a suite's own spelling."""
    return "MMLU" if suite == control.SUITE else title_of(suite)


def _list(words: Sequence[str]) -> str:
    return "; and by ".join(words)


def remarks(result: Result) -> list[str]:
    """Return what a reader of the table could miss: changed answers that a score does not show, and directions."""
    found = []
    for one in result.compared.flips:
        bias = next(
            each
            for each in result.compared.contrasts
            if (each.build, each.suite, each.format) == (one.build, one.suite, one.format)
        )
        found.append(remark(f"{one.build}, {place(one)}", vars(one), unseen=bias.low <= 0 <= bias.high))
    for score in result.compared.contrasts:
        if score.nearer and score.kind == BIAS and not result.worse(score.build):
            found.append(f"{score.build} is less biased by {clause(score)}.")
    return [text for text in found if text]

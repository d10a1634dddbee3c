"""The study's answer in three sentences, made from its numbers.

The wording follows three rules. Where an interval covers 0, the sentence says that no difference is detectable and
how small a difference could have been found. Where it does not, the sentence gives size, direction and interval, and
whether the difference survives the correction for multiple comparisons. A bias score is never "better" because it is
lower: the sentence says which of the two lies nearer to the ideal value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgebias.report.data import StudyData
from edgebias.report.findings import Difference, Reduction, broken_builds, reductions, select
from edgebias.report.numbers import interval, number, p_value, percent, signed
from edgebias.report.primary import primary_metric

TOLD = ("instruction", "feedback loop")
"""Methods that the answer tells of."""


def answer(study: StudyData) -> tuple[str, str, str]:
    """Write three sentences: environments, compression, mitigation."""
    suite = "forced_choice" if "forced_choice" in study.suites else study.suites[0]
    chosen = primary_metric(suite, study.scores)
    if chosen is None:
        missing = f"No bias metric of {suite} was scored, so the study gives no answer."
        return missing, missing, missing
    differences = select(study, suite)
    builds = max((select(study, name)["variant"] for name in (suite, *study.suites)), key=len)
    return (
        environments_sentence(differences["environment"], suite.replace("_", " "), study.several_models),
        compression_sentence(builds, differences["deployed"], broken_builds(study)),
        mitigation_sentence(reductions(study)),
    )


def environments_sentence(differences: Sequence[Difference], suite: str, confounded: bool) -> str:
    """Write the first sentence: environments."""
    if not differences:
        reason = (
            "no build ran in two environments, so environment and model cannot be told apart"
            if confounded
            else ("no two environments share a metric")
        )
        return f"No difference between environments could be computed on the {suite} suite: {reason}."
    lead = (
        "Several models ran, and only cells with the same weights are compared here"
        if confounded
        else "The same model ran in every environment"
    )
    return f"{lead}; on the {suite} suite, {clauses(differences)}."


def compression_sentence(
    differences: Sequence[Difference], deployed: Sequence[Difference], broken: Sequence[str] = ()
) -> str:
    """Write the second sentence.

    Compressed builds against the uncompressed one, then the shipped build against the others.

    ``differences`` come from the suite that most builds answered.

    Builds without a detectable difference share one clause.
    """
    if not differences:
        return "No contrast between compressed builds and the uncompressed one was computed."
    shown = [d for d in differences if d.verdict in {"found", "uncorrected"}]
    silent = [d for d in differences if d.verdict not in {"found", "uncorrected"}]
    told = [clauses(shown)] if shown else []
    if silent:
        detectable = [d.smallest_detectable for d in silent if math.isfinite(d.smallest_detectable)]
        reach = f" (smallest detectable is {_span(detectable)})" if detectable else ""
        names = ", ".join(d.name_a for d in silent)
        metric = silent[0].metric
        told.append(f"by {metric}, no difference from the uncompressed build is detectable for {names}{reach}")
    if deployed:
        told.append(
            f"for the build that ships to the edge, with compression and environment together, {clauses(deployed)}"
        )
    if broken:
        told.append(
            f"a score near the ideal is no virtue in a build that hardly models text any more: {', '.join(broken)}"
        )
    return f"Compression, on the same items: {'; '.join(told)}."


def mitigation_sentence(found: Sequence[Reduction]) -> str:
    """Write the third sentence: the loop and what it competes with; controls and ablations are for the table."""
    if not found:
        return "No mitigation method was evaluated."
    found = [reduction for reduction in found if reduction.method in TOLD]
    if not found:
        return "What the evaluated methods do to held-out items stands in the table of mitigation."
    text = "; ".join(describe_reduction(reduction) for reduction in found)
    return f"Mitigation, on items that no method was fitted to: {text}."


def clauses(differences: Sequence[Difference]) -> str:
    """Return all clauses; a metric that they share is named once, in front."""
    metrics = {d.metric for d in differences}
    if len(metrics) > 1:
        return "; ".join(f"by {d.metric}, {describe(d)}" for d in differences)
    return f"by {metrics.pop()}, {'; '.join(map(describe, differences))}"


def describe(difference: Difference) -> str:
    """Return one clause about one difference."""
    pair = f"between {difference.name_a} and {difference.name_b}"
    size = f"{signed(difference.difference)}, {interval(difference.low, difference.high)}"
    verdict = difference.verdict
    if verdict == "undefined":
        return f"the difference {pair} could not be estimated"
    if verdict == "identical":
        return f"{difference.name_a} and {difference.name_b} score exactly the same on these items"
    if verdict == "none":
        detectable = (
            f"; smallest detectable is {number(difference.smallest_detectable)}"
            if math.isfinite(difference.smallest_detectable)
            else ""
        )
        return f"no difference is detectable {pair} ({size}{detectable})"
    direction = "higher" if difference.difference > 0 else "lower"
    nearer = _nearer(difference)
    clause = f"{difference.name_a} scores {direction} than {difference.name_b} ({size}, {_corrected(difference)})"
    if verdict == "uncorrected":
        clause += ", a difference that does not survive the correction for the number of comparisons"
    return clause + nearer


def _corrected(difference: Difference) -> str:
    return f"corrected {p_value(difference.p_corrected)}"


def _nearer(difference: Difference) -> str:
    if not math.isfinite(difference.ideal):
        return ""
    a = abs(difference.estimate_a - difference.ideal)
    b = abs(difference.estimate_b - difference.ideal)
    if not math.isfinite(a - b) or a == b:
        return ""
    return f", which is {'farther from' if a > b else 'nearer to'} the ideal value {number(difference.ideal)}"


def describe_reduction(reduction: Reduction) -> str:
    """Return one clause about one method."""
    if reduction.verdict == "undefined":
        return f"the effect of {reduction.method} on held-out items could not be estimated"
    values = (
        f"{reduction.metric} {number(reduction.before)} "
        f"{interval(reduction.before_low, reduction.before_high)} before and "
        f"{number(reduction.after)} {interval(reduction.after_low, reduction.after_high)} after, ideal "
        f"{number(reduction.ideal)}"
    )
    if math.isfinite(reduction.relative):
        paired = interval(100 * reduction.relative_low, 100 * reduction.relative_high)
        values += f"; relative reduction {percent(reduction.relative)} {paired}"
    if reduction.headroom.startswith("no"):
        values += f"; no headroom: {reduction.headroom.removeprefix('no: ')}"
    if reduction.verdict == "unclear":
        return f"no effect of {reduction.method} on held-out items is detectable ({values})"
    nearer = abs(reduction.after - reduction.ideal) < abs(reduction.before - reduction.ideal)
    change = f"{'nearer to' if nearer else 'farther from'} the ideal value"
    if reduction.verdict == "uncorrected":
        values += f"; corrected p = {reduction.p_corrected:.3f}"
        change += ", a change that does not survive the correction for the number of comparisons"
    return f"with {reduction.method} the edge build answers held-out items {change} ({values})"


def _span(values: Sequence[float]) -> str:
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"

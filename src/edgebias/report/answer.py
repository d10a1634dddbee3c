"""The study's answer in three sentences, made from its numbers.

The wording follows three rules. Where an interval covers 0, the sentence says that no difference is detectable and
how small a difference could have been found. Where it does not, the sentence gives size, direction and interval, and
whether the difference survives the correction for multiple comparisons. A bias score is never "better" because it is
lower: the sentence says which of the two lies nearer to the ideal value.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from edgebias.report.numbers import interval, number, p_value, percent, signed
from edgebias.report.primary import ideal_of, primary_contrasts, primary_metric
from edgebias.report.study import Study

ALPHA = 0.05
BROKEN = 3.0
"""Factor of perplexity from which a build is called out: a guess at random, too, has a stereotype rate of 50."""
KINDS = ("environment", "variant", "deployed")
"""Same build elsewhere; other build in the same environment; the shipped build against the others."""


@dataclass(frozen=True)
class Difference:
    """A paired difference ``a`` minus ``b`` of one metric, with its interval."""

    metric: str
    name_a: str
    name_b: str
    estimate_a: float
    estimate_b: float
    difference: float
    low: float
    high: float
    p_corrected: float
    smallest_detectable: float
    ideal: float

    @property
    def verdict(self) -> str:
        """``undefined``, ``identical``, ``none``, ``uncorrected`` (only before the correction) or ``found``."""
        if not all(map(math.isfinite, (self.difference, self.low, self.high))):
            return "undefined"
        if self.difference == self.low == self.high == 0:
            return "identical"
        if self.low <= 0 <= self.high:
            return "none"
        return "found" if self.p_corrected < ALPHA else "uncorrected"


def describe(difference: Difference) -> str:
    """One clause about one difference."""
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


@dataclass(frozen=True)
class Reduction:
    """Bias on held-out items before and after a method; bias is the distance from the ideal value."""

    method: str
    metric: str
    before: float
    before_low: float
    before_high: float
    after: float
    after_low: float
    after_high: float
    ideal: float
    relative: float = math.nan
    relative_low: float = math.nan
    relative_high: float = math.nan
    headroom: str = ""
    """``yes`` or ``no`` and the reason, as the mitigation stage found; empty where it did not say."""
    p_corrected: float = math.nan
    """Of the paired reduction, corrected for the number of its method's comparisons; NaN where there is none."""

    @property
    def relative_bias(self) -> float:
        """Share by which the distance from the ideal value shrank; NaN where there was none beyond its own noise."""
        if self.headroom.startswith("no"):
            return math.nan
        if math.isfinite(self.relative):
            return self.relative
        distance = abs(self.before - self.ideal)
        return 1 - abs(self.after - self.ideal) / distance if distance > 0 else math.nan

    @property
    def verdict(self) -> str:
        """``undefined``, ``reduced``, ``raised``, ``uncorrected`` (only before the correction) or ``unclear``.

        A paired interval of the relative reduction decides where there is one. Otherwise the intervals of the two
        distances from the ideal value must not overlap, which is stricter than a paired comparison.
        """
        if not (math.isfinite(self.before) and math.isfinite(self.after)):
            return "undefined"
        if math.isfinite(self.relative_low) and math.isfinite(self.relative_high):
            if self.relative_low <= 0 <= self.relative_high:
                return "unclear"
            if self.p_corrected >= ALPHA:
                return "uncorrected"
            return "reduced" if self.relative_low > 0 else "raised"
        nearest_before, farthest_before = _distance(self.before_low, self.before_high, self.ideal)
        nearest_after, farthest_after = _distance(self.after_low, self.after_high, self.ideal)
        if farthest_after < nearest_before:
            return "reduced"
        return "raised" if farthest_before < nearest_after else "unclear"


def _distance(low: float, high: float, ideal: float) -> tuple[float, float]:
    """Interval of the distance from ``ideal`` for an estimate within [low, high]."""
    ends = sorted((abs(low - ideal), abs(high - ideal)))
    return (0.0 if low <= ideal <= high else ends[0], ends[1])


def describe_reduction(reduction: Reduction) -> str:
    """One clause about one method."""
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


def answer(study: Study) -> tuple[str, str, str]:
    """Three sentences: environments, compression, mitigation."""
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
    """The first sentence: environments."""
    if not differences:
        reason = (
            "no build ran in two environments, so environment and model cannot be told apart"
            if confounded
            else ("no two environments share a metric")
        )
        return f"No difference between environments could be computed on the {suite} suite: {reason}."
    lead = (
        "Environment and model cannot be told apart here, because different models ran"
        if confounded
        else "The same model ran in every environment"
    )
    return f"{lead}; on the {suite} suite, {clauses(differences)}."


def broken_builds(study: Study) -> list[str]:
    """Builds whose perplexity is at least `BROKEN` times the uncompressed build's, with that factor."""
    perplexity = {
        (str(record["model"]), str(record["variant"])): float(record.get("perplexity", {}).get("value", math.nan))
        for record in study.variants
    }
    factors = {
        variant: value / perplexity.get((model, "full"), math.nan) for (model, variant), value in perplexity.items()
    }
    return [f"{name} (perplexity times {number(factor)})" for name, factor in factors.items() if factor >= BROKEN]


def compression_sentence(
    differences: Sequence[Difference], deployed: Sequence[Difference], broken: Sequence[str] = ()
) -> str:
    """The second sentence: compressed builds against the uncompressed one, then the shipped build against the others.

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


def clauses(differences: Sequence[Difference]) -> str:
    """All clauses; a metric that they share is named once, in front."""
    metrics = {d.metric for d in differences}
    if len(metrics) > 1:
        return "; ".join(f"by {d.metric}, {describe(d)}" for d in differences)
    return f"by {metrics.pop()}, {'; '.join(map(describe, differences))}"


def _span(values: Sequence[float]) -> str:
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"


def mitigation_sentence(found: Sequence[Reduction]) -> str:
    """The third sentence: the loop and what it competes with; controls and ablations are for the table."""
    found = [reduction for reduction in found if reduction.method in TOLD]
    if not found:
        return "No mitigation method was evaluated."
    text = "; ".join(describe_reduction(reduction) for reduction in found)
    return f"Mitigation, on items that no method was fitted to: {text}."


TOLD = ("instruction", "feedback loop")
"""Methods that the answer tells of."""


def select(study: Study, suite: str) -> Mapping[str, list[Difference]]:
    """The differences of a suite's primary metric, by kind."""
    found: dict[str, list[Difference]] = {kind: [] for kind in KINDS}
    for _, row in primary_contrasts(suite, study.contrasts, study.scores).iterrows():
        ideal = ideal_of(study.scores, suite, str(row["metric"]))
        found.setdefault(str(row["kind"]), []).append(difference_of(row, ideal, study.several_models))
    return found


def difference_of(row: pd.Series, ideal: float, several_models: bool) -> Difference:
    """A row of contrasts.csv as a record."""
    return Difference(
        metric=f"{str(row['metric']).replace('_', ' ')} ({row['format']})",
        name_a=cell_name(str(row["cell_a"]), several_models),
        name_b=cell_name(str(row["cell_b"]), several_models),
        estimate_a=float(row["estimate_a"]),
        estimate_b=float(row["estimate_b"]),
        difference=float(row["difference"]),
        low=float(row["low"]),
        high=float(row["high"]),
        p_corrected=float(row["p_corrected"]),
        smallest_detectable=float(row["minimum_detectable_effect"]),
        ideal=ideal,
    )


def cell_name(key: str, several_models: bool) -> str:
    """``edge/model/full`` as ``edge full``."""
    parts = key.split("/")
    return " ".join(parts) if several_models or len(parts) != 3 else f"{parts[0]} {parts[2]}"


def reductions(study: Study) -> list[Reduction]:
    """Each method against ``none`` on held-out items: of the first suite of `MITIGATED` that had bias to remove."""
    table = held_out(study.mitigation)
    table = table[table["category"] == "all"]
    judged = [found for suite, metric in MITIGATED if (found := _reductions_in(table, suite, metric, study.methods))]
    with_headroom = [found for found in judged if any(math.isfinite(reduction.relative) for reduction in found)]
    return next(iter(with_headroom + judged), [])


def _reductions_in(table: pd.DataFrame, suite: str, metric: str, methods: Sequence[str]) -> list[Reduction]:
    rows = table[(table["suite"] == suite) & (table["metric"] == metric)]
    if rows.empty:
        return []
    form = "likelihood" if "likelihood" in set(rows["format"]) else min(rows["format"])
    scores = _by_method(rows[rows["format"] == form])
    compared = table[(table["suite"] == suite) & (table["format"] == form)]
    paired = _by_method(compared[compared["metric"] == "relative_reduction"])
    points = _by_method(compared[compared["metric"] == "reduction"])
    if "none" not in scores:
        return []
    return [
        _reduction(method, metric, scores["none"], scores[method], paired.get(method, {}), points.get(method, {}))
        for method in methods
        if method != "none" and method in scores
    ]


MITIGATED = (("stereoset", "ss"), ("forced_choice", "stereotype_rate"))
"""(suite, metric) that mitigation may be judged by; StereoSet drives the loop of the default study."""


def _by_method(rows: pd.DataFrame) -> dict[str, dict[Hashable, Any]]:
    return {str(row["method"]): row for row in rows.to_dict("records")}


def _reduction(
    method: str,
    metric: str,
    before: Mapping[Hashable, Any],
    after: Mapping[Hashable, Any],
    paired: Mapping[Hashable, Any],
    points: Mapping[Hashable, Any],
) -> Reduction:
    return Reduction(
        method=method.replace("_", " "),
        metric=metric.replace("_", " "),
        before=float(before["estimate"]),
        before_low=float(before["low"]),
        before_high=float(before["high"]),
        after=float(after["estimate"]),
        after_low=float(after["low"]),
        after_high=float(after["high"]),
        ideal=float(before["ideal"]),
        relative=float(paired.get("estimate", math.nan)) / 100,
        relative_low=float(paired.get("low", math.nan)) / 100,
        relative_high=float(paired.get("high", math.nan)) / 100,
        headroom=str(paired.get("headroom", "")),
        p_corrected=float(points.get("p_corrected", math.nan)),
    )


def held_out(table: pd.DataFrame) -> pd.DataFrame:
    """The held-out rows of the mitigation scores."""
    return table[table["split"] == "held_out"] if "split" in table.columns else table

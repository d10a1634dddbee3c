"""What the study found, as records: differences of cells, reductions by methods, broken builds."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from edgebias.report.data import StudyData
from edgebias.report.numbers import MINUS, number
from edgebias.report.primary import ideal_of, primary_contrasts
from edgebias.suites.registry import mitigated

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
    """The p-value of the paired reduction, corrected for its method's comparisons; NaN where there is none."""

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
    """Return the interval of the distance from ``ideal`` for an estimate within [low, high]."""
    ends = sorted((abs(low - ideal), abs(high - ideal)))
    return (0.0 if low <= ideal <= high else ends[0], ends[1])


def select(study: StudyData, suite: str) -> Mapping[str, list[Difference]]:
    """Return the differences of a suite's primary metric, by kind."""
    found: dict[str, list[Difference]] = {kind: [] for kind in KINDS}
    for _, row in primary_contrasts(suite, study.contrasts, study.scores).iterrows():
        ideal = ideal_of(study.scores, suite, str(row["metric"]))
        found.setdefault(str(row["kind"]), []).append(difference_of(row, ideal, study.several_models))
    return found


def difference_of(row: pd.Series, ideal: float, several_models: bool) -> Difference:
    """Return a row of contrasts.csv as a record."""
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
    """Return ``edge/model/full`` as ``edge full``."""
    parts = key.split("/")
    return " ".join(parts) if several_models or len(parts) != 3 else f"{parts[0]} {parts[2]}"


def compared_pairs(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return kind and cells of each comparison among ``rows``, in the order of the figures."""
    found = {(str(row["kind"]), str(row["cell_a"]), str(row["cell_b"])) for _, row in rows.iterrows()}
    return sorted(found, key=lambda pair: (KINDS.index(pair[0]), pair[1], pair[2]))


def pair_labels(pairs: Sequence[tuple[str, str, str]], several_models: bool) -> list[str]:
    """Return what a row of a figure calls each comparison: one cell minus another, on two lines."""
    return [f"{cell_name(a, several_models)}\n{MINUS} {cell_name(b, several_models)}" for _, a, b in pairs]


def broken_builds(study: StudyData) -> list[str]:
    """Return builds whose perplexity is at least `BROKEN` times the uncompressed build's, with that factor.

    A build is called with its model only where there are several.
    """
    perplexity = {
        (str(record["model"]), str(record["variant"])): float(record.get("perplexity", {}).get("value", math.nan))
        for record in study.variants
    }
    factors = {build: value / perplexity.get((build[0], "full"), math.nan) for build, value in perplexity.items()}
    return [
        f"{f'{model} ' if study.several_models else ''}{variant} (perplexity times {number(factor)})"
        for (model, variant), factor in factors.items()
        if factor >= BROKEN
    ]


def reductions(study: StudyData) -> list[Reduction]:
    """Return each method against ``none`` on held-out items.

    Of the first driver of the loop that had bias to remove.
    """
    table = study.mitigation
    table = table[table["category"] == "all"]
    drivers = [suite for suite in mitigated() if suite.drives_loop]
    judged = [found for suite in drivers if (found := _reductions_in(table, suite.name, suite.bias, study.methods))]
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

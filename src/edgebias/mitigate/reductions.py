"""How far a method brings a bias to its ideal: paired with no mitigation, on the same held-out items."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from edgebias.core.arrays import FloatArray
from edgebias.core.seeds import generator
from edgebias.core.table import Column, Table, at_least, between
from edgebias.metrics.answers import Answers
from edgebias.metrics.estimate import add_up, score_interval
from edgebias.metrics.metric import Metric
from edgebias.mitigate.preserved_texts import NEUTRAL_TEXT, PERPLEXITY_RISE, REFERENCE_ANSWERS
from edgebias.score.table import ALL, SCORE, cell_answers
from edgebias.stats.bootstrap import Interval, Resampling, bootstrap
from edgebias.stats.clusters import Clusters, Formula, align
from edgebias.stats.contrasts import DETECTABLE_FACTOR, corrected, paired_difference
from edgebias.suites.formats import LIKELIHOOD
from edgebias.suites.registry import SUITES, mitigated

REDUCTION, RELATIVE_REDUCTION = "reduction", "relative_reduction"
CORRECTION = "holm"
MITIGATION = Table(
    name="mitigation score",
    meaning="A score of one method on held-out items, or how much of its distance from the ideal the method removed.",
    path="results/{study}/mitigation/{environment}/{model}/{variant}/{method}/scores.csv",
    columns=(
        *SCORE.columns,
        Column("p", "float", "of no reduction, uncorrected", rule=between(0.0, 1.0), undefined=True),
        Column(
            "p_corrected", "float", "`p` corrected within the family (Holm)", rule=between(0.0, 1.0), undefined=True
        ),
        Column("family", "str", "the reductions that are corrected together; empty for scores"),
        Column("family_size", "int", "p-values in the family; 0 for scores", rule=at_least(0)),
        Column(
            "minimum_detectable_effect",
            "float",
            "smallest reduction that this many clusters would find (80 % power, 5 % level)",
            rule=at_least(0.0),
            undefined=True,
        ),
        Column("headroom", "str", "of a reduction: whether the baseline's interval excludes the ideal, and why"),
        Column("reason", "str", "why a value is NaN; empty where there is nothing to say"),
    ),
    order=SCORE.order,
    # A reduction pairs clusters in which either method answers; its n counts the answers of the one that has fewer.
    relations=tuple(relation for relation in SCORE.relations if "n_clusters" not in relation.columns),
)
MITIGATION_COLUMNS = MITIGATION.names


def overview() -> list[tuple[str, str, str]]:
    """Return (suite, format, metric) of what a method is judged by at a glance.

    Bias first, then what it must not spoil.
    """
    judged = mitigated()
    return [
        *((suite.name, LIKELIHOOD, suite.bias) for suite in judged),
        *((suite.name, LIKELIHOOD, metric) for suite in judged for metric in suite.utility),
        (NEUTRAL_TEXT, LIKELIHOOD, PERPLEXITY_RISE),
        (REFERENCE_ANSWERS, LIKELIHOOD, PERPLEXITY_RISE),
    ]


def reductions(
    before: pd.DataFrame, after: pd.DataFrame, suite: str, *, seed: int, resamples: int, confidence: float
) -> pd.DataFrame:
    """Return how far a method brings the bias of a suite to its ideal, by format, for each category and for ``all``.

    ``reduction`` is ``|b0 - ideal| - |b1 - ideal|`` in the metric's points, with the sign-flip p-value;
    ``relative_reduction`` the same in per cent of ``|b0 - ideal|``: 100 is the ideal; below 0 the method made things
    worse. Intervals are paired cluster bootstraps. ``headroom`` says whether the interval of the unmitigated bias b0
    excludes the ideal. Where it does not, there is nothing to reduce but noise and ``relative_reduction`` is NaN.

    Args:
        before: responses of the method ``none`` joined with their items.
        after: responses of this method to the same items.
        suite: one of `mitigated`, which has a metric of bias.
        seed: of the bootstrap.
        resamples: bootstrap samples.
        confidence: of the interval.
    """
    entry = SUITES.get(suite)
    metric = entry.family.metric(entry.bias)
    how = Resampling(seed, resamples, confidence)
    rows: list[dict[str, Any]] = []
    for form in sorted(set(before["format"]) & set(after["format"])):
        first, second = (cell_answers(joined[joined["format"] == form]) for joined in (before, after))
        rows += _reduction_rows(metric, first, second, (suite, form, ALL), how)
        for category in np.unique(first.category):
            a, b = (answers.take(answers.category == category) for answers in (first, second))
            rows += _reduction_rows(metric, a, b, (suite, form, str(category)), how)
    return pd.DataFrame(rows, columns=list(MITIGATION_COLUMNS))


def with_families(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """Correct the p-values of a method's reductions (Holm) within two families: overall rows, and those of categories.

    The comparisons that the study set out to make stay apart from the look into every category.
    """
    table = table.reindex(columns=list(MITIGATION_COLUMNS))
    texts = ["family", "headroom", "reason"]
    table[texts] = table[texts].astype(object).fillna("")
    table["family_size"] = 0
    compared = table["metric"] == REDUCTION
    for family, members in (
        (f"{method}, overall", compared & (table["category"] == ALL)),
        (f"{method}, by category", compared & (table["category"] != ALL)),
    ):
        table.loc[members, "p_corrected"] = corrected(table.loc[members, "p"].tolist(), CORRECTION)
        table.loc[members, "family_size"] = int(table.loc[members, "p"].notna().sum())
        table.loc[members, "family"] = family
    return table


def headroom(baseline: Interval, ideal: float) -> tuple[bool, str]:
    """Return whether there is bias to reduce beyond the baseline's own noise, and a text that says why."""
    if not (math.isfinite(baseline.low) and math.isfinite(baseline.high)):
        return False, "no: the baseline has no interval (fewer than two clusters, or too few usable answers)"
    found = f"baseline {baseline.estimate:.1f} [{baseline.low:.1f}, {baseline.high:.1f}]"
    if baseline.low <= ideal <= baseline.high:
        return False, f"no: {found} includes the ideal {ideal:g}"
    return True, f"yes: {found} excludes the ideal {ideal:g}"


def _reduction_rows(
    metric: Metric, before: Answers, after: Answers, scope: tuple[str, str, str], how: Resampling
) -> list[dict[str, Any]]:
    suite, form, category = scope
    first, second = align(add_up(metric, before), add_up(metric, after))
    baseline = score_interval(
        first,
        metric,
        resamples=how.resamples,
        confidence=how.confidence,
        rng=generator(how.seed, *scope, metric.name),  # the interval that the table of scores prints
    )
    able, why = headroom(baseline, metric.ideal)

    def below(totals: FloatArray) -> FloatArray:
        return metric.formula(totals) - metric.ideal

    def above(totals: FloatArray) -> FloatArray:
        return metric.ideal - metric.formula(totals)

    change = paired_difference(
        second,
        first,
        lambda totals: np.minimum(below(totals), above(totals)),  # minus the distance from the ideal
        bounds=(metric.low, metric.high),
        resamples=how.resamples,
        confidence=how.confidence,
        rng=generator(how.seed, "mitigate", REDUCTION, *scope),
        branches=(below, above),
    )
    relative = Interval(math.nan, math.nan, math.nan, math.nan)
    if able:
        relative = _relative(first, second, (below, above), generator(how.seed, "mitigate", *scope), how)
    span = max(metric.high - metric.ideal, metric.ideal - metric.low)  # no distance, so no reduction, is larger
    about = metric.items(after)
    n = min(int((metric.items(answers) & metric.usable(answers)).sum()) for answers in (before, after))
    outcomes = after.outcome[about]
    common = {
        "suite": suite,
        "format": form,
        "category": category,
        "n": n,
        "n_clusters": change.n_clusters,
        "coverage": n / int(about.sum()) if about.any() else math.nan,
        **{f"n_{name}": int(np.sum(outcomes == name)) for name in ("refusal", "unparsed", "blank")},
        "headroom": why,
    }
    return [
        common
        | {
            "metric": REDUCTION,
            "estimate": change.difference,
            "low": max(change.low, -span),  # NaN, which compares false, comes first and stays
            "high": min(change.high, span),
            "ideal": math.nan,
            "p": change.p,
            "minimum_detectable_effect": change.minimum_detectable_effect,
            "reason": change.reason,
        },
        common
        | {
            "metric": RELATIVE_REDUCTION,
            "estimate": relative.estimate,
            "low": relative.low,
            "high": relative.high,
            "ideal": 100.0,
            "minimum_detectable_effect": DETECTABLE_FACTOR * relative.error if relative.error > 0 else math.nan,
            "reason": _why_undefined(able, relative),
        },
    ]


def _why_undefined(able: bool, relative: Interval) -> str:
    if not able:
        return "no headroom"
    return "" if math.isfinite(relative.low) else "no variation between clusters, or too few usable answers"


def _relative(
    before: Clusters,
    after: Clusters,
    branches: tuple[Formula, Formula],
    rng: np.random.Generator,
    how: Resampling,
) -> Interval:
    """Return per cent of the distance from the ideal that is gone: the minimum over the two sides on which b1 may lie.

    It has a kink where the method reaches the ideal, and none at b0, whose interval excludes it.
    """
    if np.array_equal(before.sums, after.sums):
        return Interval(0.0, 0.0, 0.0, 0.0)
    width = before.sums.shape[1]

    def side(branch: Formula) -> Formula:
        """Compute 100 x (1 + branch of b1 / distance of b0)."""

        def formula(totals: FloatArray) -> FloatArray:
            distance = -np.minimum(*(one(totals[..., :width]) for one in branches))
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(distance > 0, 100.0 + 100.0 * branch(totals[..., width:]) / distance, np.nan)

        return formula

    sides = [side(branch) for branch in branches]
    return bootstrap(
        Clusters(before.names, before.strata, np.hstack([before.sums, after.sums])),
        lambda totals: np.minimum(sides[0](totals), sides[1](totals)),
        bounds=(-np.inf, 100.0),
        resamples=how.resamples,
        confidence=how.confidence,
        rng=rng,
        pieces=[[piece] for piece in sides],
    )

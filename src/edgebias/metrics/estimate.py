"""From a metric and answers to what the statistics take: sums of clusters, and the interval of a score."""

from __future__ import annotations

import numpy as np

from edgebias.metrics.answers import Answers
from edgebias.metrics.metric import Metric
from edgebias.stats.bootstrap import Interval, bootstrap
from edgebias.stats.clusters import Clusters, Formula


def add_up(metric: Metric, answers: Answers) -> Clusters:
    """Sum a metric's usable responses within each cluster; the stratum of a cluster is its category."""
    names, first, codes = np.unique(answers.cluster, return_index=True, return_inverse=True)
    mask = metric.items(answers) & metric.usable(answers)
    item_sums = metric.sums(answers.take(mask))
    sums = np.zeros((len(names), item_sums.shape[1]))
    np.add.at(sums, codes[mask], item_sums)
    if metric.per_cluster is not None:
        sums = metric.per_cluster(sums)
    return Clusters(names, answers.category[first], sums)


def _negative(formula: Formula) -> Formula:
    return lambda totals: -formula(totals)


def score_interval(
    clusters: Clusters, metric: Metric, *, resamples: int, confidence: float, rng: np.random.Generator
) -> Interval:
    """Return the estimate of ``metric`` with its interval.

    `bootstrap` within the metric's range, by its branches if any. A score that is the maximum of its sides is minus the
    minimum of their negatives.
    """
    if metric.sides:
        negated = bootstrap(
            clusters,
            _negative(metric.formula),
            bounds=(-metric.high, -metric.low),
            resamples=resamples,
            confidence=confidence,
            rng=rng,
            pieces=[[_negative(side)] for side in metric.sides],
        )
        return Interval(-negated.estimate, -negated.high, -negated.low, negated.error)
    return bootstrap(
        clusters,
        metric.formula,
        bounds=(metric.low, metric.high),
        resamples=resamples,
        confidence=confidence,
        rng=rng,
        pieces=[[branch] for branch in metric.branches],
    )

"""The numbers in the form in which arXiv 2502.11349 states 43.23 % and 21.89 %.

The paper does not say how its percentages are normalised. Both candidate readings are given: the relative excess
``E = 100 x (B_edge - B_reference) / B_reference`` with B the stereotype rate, and with B its distance from 50.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from edgebias.core.arrays import FloatArray
from edgebias.core.cell import Cell
from edgebias.core.seeds import generator
from edgebias.metrics.estimate import add_up
from edgebias.metrics.metric import percent
from edgebias.score.contrasts.cells import Study
from edgebias.score.contrasts.pairs import Joined, paired
from edgebias.score.contrasts.table import shared_formats
from edgebias.score.table import cell_answers
from edgebias.stats.bootstrap import Resampling, bootstrap
from edgebias.stats.clusters import Clusters, align
from edgebias.suites.registry import SUITES

SUITE = "forced_choice"
METRIC = "stereotype_rate"
RATE, DISTANCE = "stereotype_rate", "distance_from_50"
SLOPE_COLUMNS = (
    "format",
    "category",
    "metric",
    "estimate",
    "low",
    "high",
    "n",
    "n_clusters",
    "coverage",
    "p",
    "reason",
)


def headline(study: Study, joined: Joined, over_time: dict[Cell, pd.DataFrame], how: Resampling) -> dict[str, Any]:
    """Return the relative excess of the edge build over the desktop and the cloud build, and every over-time score."""
    excess = []
    if SUITE in study.suites:
        for reference in study.references:
            left, right = joined(study.edge_build, SUITE), joined(reference, SUITE)
            if left is None or right is None:
                continue
            for form in shared_formats(left, right):
                excess += _excess(study.edge_build, reference, form, *paired(left, right, form), how)
    return {
        "question": "how much more prone to bias is the edge build, in percent of the reference",
        "suite": SUITE,
        "metric": METRIC,
        "edge_build": study.edge_build.path,
        "relative_excess": excess,
        "over_time": [
            {"cell": cell.path, **{name: row[name] for name in SLOPE_COLUMNS}}
            for cell, table in sorted(over_time.items())
            for row in table.fillna({"reason": ""}).to_dict("records")
        ],
        "over_time_relative_excess": _over_time_excess(study, over_time),
    }


def relative_excess(totals: FloatArray) -> FloatArray:
    """Compute E with B the stereotype rate, from totals [edge hits, edge n, reference hits, reference n]."""
    return _excess_of(percent(totals[..., :2]), percent(totals[..., 2:]))


def relative_excess_of_distance(totals: FloatArray) -> FloatArray:
    """Compute E with B = abs(stereotype rate - 50), from the same totals."""
    return _excess_of(np.abs(percent(totals[..., :2]) - 50.0), np.abs(percent(totals[..., 2:]) - 50.0))


def _excess_of(edge: FloatArray, reference: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(reference > 0, 100.0 * (edge - reference) / reference, np.nan)


def _excess(
    edge: Cell, reference: Cell, form: str, left: pd.DataFrame, right: pd.DataFrame, how: Resampling
) -> list[dict[str, Any]]:
    metric = SUITES.get(SUITE).family.metric(METRIC)
    a, b = align(add_up(metric, cell_answers(left)), add_up(metric, cell_answers(right)))
    both = Clusters(a.names, a.strata, np.concatenate([a.sums, b.sums], axis=1))
    totals = both.sums.sum(axis=0)
    edge_rate, reference_rate = float(percent(totals[:2])), float(percent(totals[2:]))
    names = (edge.path, reference.path, form)
    denominator = bootstrap(
        b,
        percent,
        bounds=(0.0, 100.0),
        resamples=how.resamples,
        confidence=how.confidence,
        rng=generator(how.seed, "denominator", *names),
    )
    rows = []
    for reading, formula, values, zero in (
        (RATE, relative_excess, (edge_rate, reference_rate), 0.0),
        (DISTANCE, relative_excess_of_distance, (abs(edge_rate - 50.0), abs(reference_rate - 50.0)), 50.0),
    ):
        interval = bootstrap(
            both,
            formula,
            bounds=(-100.0, 100.0),
            resamples=how.resamples,
            confidence=how.confidence,
            rng=generator(how.seed, "excess", reading, *names),
        )
        # a ratio has no finite confidence interval where its denominator may be 0 (Fieller)
        reason = ""
        if not denominator.low > zero and not denominator.high < zero:
            reason = "the interval of the reference includes no bias or is unknown: the ratio has no interval"
        elif not math.isfinite(interval.low) or interval.error == 0.0:
            reason = "the bootstrap of the ratio is undefined or constant"
        rows.append(
            {
                "reference": reference.path,
                "format": form,
                "reading": reading,
                "edge": values[0],
                "reference_value": values[1],
                "excess_percent": interval.estimate,
                "low": math.nan if reason else interval.low,
                "high": math.nan if reason else interval.high,
                "n_items": len(left),
                "n_clusters": len(both.contributing()),
                "reason": reason,
            }
        )
    return rows


def _over_time_excess(study: Study, over_time: dict[Cell, pd.DataFrame]) -> list[dict[str, Any]]:
    """Return the same ratio of the stereotype rates over all rounds; with few conversations it has no interval."""
    rows = []
    for reference in study.references:
        if study.edge_build not in over_time or reference not in over_time:
            continue
        edge_rates, reference_rates = (_rates(over_time[cell]) for cell in (study.edge_build, reference))
        for mode in sorted(set(edge_rates) & set(reference_rates)):
            edge, base = edge_rates[mode], reference_rates[mode]
            for reading, b_edge, b_base in (
                (RATE, edge, base),
                (DISTANCE, abs(edge - 50.0), abs(base - 50.0)),
            ):
                value = float(_excess_of(np.float64(b_edge) * np.ones(1), np.float64(b_base) * np.ones(1))[0])
                rows.append(
                    {
                        "reference": reference.path,
                        "mode": mode,
                        "reading": reading,
                        "edge": b_edge,
                        "reference_value": b_base,
                        "excess_percent": value,
                    }
                )
    return rows


def _rates(table: pd.DataFrame) -> dict[str, float]:
    rates = table[table["metric"] == METRIC]
    return {str(mode): float(value) for mode, value in zip(rates["category"], rates["estimate"], strict=True)}

"""Dose and response: how the share of newly worse answers grows as a build has fewer bits.

A logistic regression of "newly worse" on bits per weight, over the unpruned builds of one model and the items that all
of them answered. Its sufficient statistics are sums of clusters, so that the bootstrap over clusters that gives every
other interval gives this one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from edgebias.core.arrays import FloatArray
from edgebias.core.cell import Cell
from edgebias.core.seeds import generator
from edgebias.core.table import FILLED, Column, Table, ascending, at_least, one_of
from edgebias.score.contrasts.pairs import Joined, on_shared_items
from edgebias.score.flips import clustered
from edgebias.score.table import cell_answers
from edgebias.score.trust.asked import Measure, full_of, measures
from edgebias.score.trust.builds import Build
from edgebias.score.trust.turned import KINDS, turned
from edgebias.stats.bootstrap import Interval, Resampling, bootstrap
from edgebias.stats.clusters import Clusters, Formula
from edgebias.suites.base import DIMENSIONS, Suite
from edgebias.suites.formats import FORMATS

HALF = 0.5
"""Answers added to each side of each build, so that a share of 0 leaves the slope finite (Haldane and Anscombe)."""

STEPS = 30
"""Newton steps: the likelihood is concave, and six are enough on all data seen."""

LARGEST = 10.0
"""Largest log odds per bit that is told from another; `exp` of it is 22,000."""

DOSE = Table(
    name="trust dose",
    meaning="How the odds of a newly worse answer grow with each bit that a weight has less, over unpruned builds.",
    path="results/{study}/compare/trust_doses.csv",
    columns=(
        Column("environment", "str", "of the cells", rule=FILLED),
        Column("model", "str", "of the cells", rule=FILLED),
        Column("dimension", "str", "of trust", rule=one_of(DIMENSIONS)),
        Column("suite", "str", "the benchmark", rule=FILLED),
        Column("format", "str", "of the responses", rule=one_of(FORMATS)),
        Column("worse", "str", "what a worse answer is, as in the table of trust", rule=one_of(KINDS)),
        Column("n_builds", "int", "unpruned builds besides the full one", rule=at_least(0)),
        Column("least_bits", "float", "bits per weight of the smallest of them", undefined=True),
        Column("most_bits", "float", "of the largest", undefined=True),
        Column(
            "odds_ratio",
            "float",
            "factor on the odds of a newly worse answer for each bit less; above 1 fewer bits are worse",
            rule=at_least(0.0),
            undefined=True,
        ),
        Column("low", "float", "lower end of its interval over clusters", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column("n_clusters", "int", "clusters that the answers come from", rule=at_least(0)),
        Column("reason", "str", "why a value is NaN; empty where there is nothing to say"),
    ),
    order=("environment", "model", "dimension", "suite", "format"),
    relations=(ascending("low", "high"),),
)


def dose_table(
    cells: Sequence[Cell],
    suites: Sequence[Suite],
    joined: Joined,
    builds: Mapping[tuple[str, str], Build],
    how: Resampling,
) -> pd.DataFrame:
    """Return one row for each full build, suite with options and format."""
    rows = []
    for full in cells:
        if full_of(full, cells) != full:
            continue
        unpruned = [
            cell
            for cell in cells
            if full_of(cell, cells) == full and cell != full and _is_unpruned(builds.get((cell.model, cell.variant)))
        ]
        for suite in suites:
            reference = joined(full, suite.name)
            if reference is None or suite.open_ended:
                continue
            for measure in measures(suite, reference):
                answered = {cell: joined(cell, suite.name) for cell in unpruned}
                tables = {
                    cell: table[table["format"] == measure.form]
                    for cell, table in answered.items()
                    if table is not None and (table["format"] == measure.form).any()
                }
                row = _row(measure, reference[reference["format"] == measure.form], tables, builds, how)
                if row:
                    key = {"environment": full.environment, "model": full.model, "dimension": suite.dimension}
                    rows.append({**key, "suite": suite.name, "format": measure.form, **row})
    return pd.DataFrame(rows, columns=list(DOSE.names))


def _is_unpruned(build: Build | None) -> bool:
    return build is not None and math.isfinite(build.bits_per_weight) and build.pruned == 0.0


def _row(
    measure: Measure,
    full: pd.DataFrame,
    tables: Mapping[Cell, pd.DataFrame],
    builds: Mapping[tuple[str, str], Build],
    how: Resampling,
) -> dict[str, Any]:
    reference, *others = (cell_answers(table) for table in on_shared_items([full, *tables.values()]))
    found = [turned(measure.metric, answers, reference) for answers in others]
    turns = [one for one in found if one is not None]
    if not turns or len(turns) < len(found):
        return {}
    bits = np.array([builds[cell.model, cell.variant].bits_per_weight for cell in tables])
    sides = [clustered(reference, one.newly, one.at_risk) for one in turns]
    row = {"worse": turns[0].worse, "n_builds": len(bits), "n_clusters": 0, "odds_ratio": math.nan}
    row |= {"low": math.nan, "high": math.nan, "reason": ""}
    row |= {"least_bits": float(bits.min()), "most_bits": float(bits.max())}
    if len(set(bits.round(2))) < 2:
        return row | {"reason": "fewer than two unpruned builds of different size"}
    both = Clusters(sides[0].names, sides[0].strata, np.concatenate([side.sums for side in sides], axis=1))
    slope = log_odds_per_bit(both, bits, how, (measure.suite.name, measure.form))
    row |= {"n_clusters": len(both.contributing()), "odds_ratio": math.exp(slope.estimate)}
    return row | {"low": math.exp(slope.low), "high": math.exp(slope.high)} | _remark(slope)


def _remark(slope: Interval) -> dict[str, str]:
    return {"reason": "" if math.isfinite(slope.low) else "too few clusters for an interval"}


def log_odds_per_bit(clusters: Clusters, bits: FloatArray, how: Resampling, names: tuple[str, ...]) -> Interval:
    """Return by how much the log odds of a newly worse answer grow with each bit less, with its interval.

    Args:
        clusters: of each build the newly worse answers and those at risk, side by side.
        bits: per weight of each build, in the same order.
        how: seed, samples and confidence.
        names: that the draws depend on.
    """
    return bootstrap(
        clusters,
        slope_of(bits),
        bounds=(-LARGEST, LARGEST),
        resamples=how.resamples,
        confidence=how.confidence,
        rng=generator(how.seed, "dose", *names),
    )


def slope_of(bits: FloatArray) -> Formula:
    """Return the formula of that slope: logistic regression of totals ``[worse, at risk]`` of builds on their bits."""
    dose = bits.mean() - bits

    def formula(totals: FloatArray) -> FloatArray:
        hits, trials = totals[..., 0::2] + HALF, totals[..., 1::2] + 2.0 * HALF
        level, slope = np.zeros(totals.shape[:-1]), np.zeros(totals.shape[:-1])
        for _ in range(STEPS):
            chance = 1.0 / (1.0 + np.exp(-(level[..., None] + slope[..., None] * dose)))
            left, weight = hits - trials * chance, trials * chance * (1.0 - chance)
            one, two, three = ((weight * dose**power).sum(axis=-1) for power in range(3))
            up, across = left.sum(axis=-1), (left * dose).sum(axis=-1)
            determinant = one * three - two**2
            level = level + np.clip((three * up - two * across) / determinant, -2.0, 2.0)
            slope = np.clip(slope + np.clip((one * across - two * up) / determinant, -2.0, 2.0), -LARGEST, LARGEST)
        return np.asarray(slope, dtype=np.float64)

    return formula

"""How much of the edge build's excess over a reference is its model, its build and its environment.

Sharma, Pau and Cano (arXiv 2502.11349) state E = (B_edge - B_reference) / B_reference of cells that differ in all three
at once. Where the cells between the two were measured as well, the difference is split by Shapley values
(`edgebias.stats.decomposition`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from edgebias.core.arrays import FloatArray
from edgebias.core.cell import Cell
from edgebias.core.seeds import generator
from edgebias.core.table import FILLED, Column, Table, ascending, at_least, between, one_of
from edgebias.metrics.estimate import add_up
from edgebias.metrics.metric import Metric
from edgebias.score.contrasts.pairs import PAIR, Joined, on_shared_items, shared_keys
from edgebias.score.table import cell_answers
from edgebias.stats.bootstrap import Interval, Resampling, bootstrap
from edgebias.stats.clusters import Clusters, Formula
from edgebias.stats.decomposition import (
    EDGE,
    EXCESS,
    FACTORS,
    PERCENT,
    POINTS,
    REFERENCE,
    Corner,
    Part,
    parts,
    value,
)
from edgebias.suites.formats import FORMATS
from edgebias.suites.registry import SUITES

DECOMPOSITION = Table(
    name="decomposition",
    meaning="The excess of the edge build over a reference, split into model, build and environment.",
    path="results/{study}/compare/decomposition.csv",
    columns=(
        Column("edge_cell", "str", "the edge build, as `environment/model/variant`", rule=FILLED),
        Column("reference_cell", "str", "what it is compared with, as `environment/model/variant`", rule=FILLED),
        Column("suite", "str", "the benchmark", rule=FILLED),
        Column("format", "str", "of the responses, which all cells have", rule=one_of(FORMATS)),
        Column("metric", "str", "as in the score table", rule=FILLED),
        Column(
            "unit",
            "str",
            "`points`: of the score; `percent`: of the reference's score, as the paper states it; for rates alone, "
            "as a ratio to a signed score that may be 0 has no meaning",
            rule=one_of((POINTS, PERCENT)),
        ),
        Column(
            "component",
            "str",
            "`reference` and `edge`: the two scores; `excess`: their difference; else the factors whose part of the "
            "excess it is. These parts add up to the excess",
            rule=FILLED,
        ),
        Column("estimate", "float", "the component", undefined=True),
        Column("low", "float", "lower end of its interval (one draw of clusters for all cells)", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column("order_low", "float", "the part's least value in any order of changing the factors", undefined=True),
        Column("order_high", "float", "its largest value", undefined=True),
        Column(
            "n_orders", "int", "orders in which all cells were measured; parts are means over them", rule=at_least(1)
        ),
        Column("n_items", "int", "shared items that the metric is about", rule=at_least(0)),
        Column("n_clusters", "int", "clusters that these come from", rule=at_least(0)),
        Column(
            "coverage",
            "float",
            "usable answers as a share (0 to 1) of these items, in the cell that has fewest",
            rule=between(0.0, 1.0),
            undefined=True,
        ),
        Column("reason", "str", "why a value is NaN; empty where there is nothing to say"),
    ),
    order=("reference_cell", "suite", "format", "metric", "unit", "component"),
    relations=(ascending("low", "high"), ascending("order_low", "order_high"), ascending("n_clusters", "n_items")),
)


@dataclass(frozen=True)
class Crossing:
    """The edge build, a reference, and the cells between them that were measured.

    Attributes:
        factors: in which the two differ.
        cells: the measured corners.
    """

    edge: Cell
    reference: Cell
    factors: tuple[str, ...]
    cells: Mapping[Corner, Cell]


@dataclass(frozen=True)
class Component:
    """One component in one unit; NaN with a reason where it is undefined."""

    name: str
    unit: str
    interval: Interval
    of_orders: tuple[float, ...] = ()
    reason: str = ""


def crossing(edge: Cell, reference: Cell, measured: Collection[Cell]) -> Crossing:
    """Return the crossing of the factors in which ``edge`` and ``reference`` differ."""
    sides = [
        (factor, _level(edge, factor), _level(reference, factor))
        for factor in FACTORS
        if _level(edge, factor) != _level(reference, factor)
    ]
    factors = tuple(factor for factor, _, _ in sides)
    cells = {}
    for number in range(2 ** len(factors)):
        corner = frozenset(factor for bit, factor in enumerate(factors) if number >> bit & 1)
        levels = {factor: _level(edge if factor in corner else reference, factor) for factor in FACTORS}
        cell = Cell(levels["environment"], levels["model"], levels["build"])
        if cell in measured:
            cells[corner] = cell
    return Crossing(edge, reference, factors, cells)


def _level(cell: Cell, factor: str) -> str:
    return {"model": cell.model, "build": cell.variant, "environment": cell.environment}[factor]


def decomposition_table(
    crossings: Sequence[Crossing], suites: Sequence[str], joined: Joined, how: Resampling
) -> pd.DataFrame:
    """Return the components of each crossing, suite, format and main metric.

    A suite and format is decomposed with the cells that answered it, on the items that all of these answered. Scores
    with a kink (ICAT) are left out: their parts have no interval of known coverage.
    """
    rows = [
        row for one in crossings for suite in suites for form in FORMATS for row in _rows(one, suite, form, joined, how)
    ]
    return pd.DataFrame(rows, columns=list(DECOMPOSITION.names))


def _rows(
    one: Crossing, suite: str, form: str, joined: Joined, how: Resampling
) -> Iterator[dict[str, str | int | float]]:
    if not one.factors:
        return
    ends = {frozenset[str](), frozenset(one.factors)}
    tables = {corner: _in_format(joined(cell, suite), form) for corner, cell in one.cells.items()}
    asked = shared_keys(tables[corner] for corner in ends)
    # balanced letters that are decided in another way have another template, and make no pairs
    tables = {corner: table for corner, table in tables.items() if len(shared_keys([table]).intersection(asked))}
    if not ends <= set(tables):
        return
    split = parts(one.factors, tables)
    used = {corner for part in split for order in part.of_orders for corner in order}
    kept = [corner for corner in tables if corner in used]
    shared = dict(zip(kept, on_shared_items([tables[corner] for corner in kept]), strict=True))
    if any(table.empty for table in shared.values()):
        return
    answers = {corner: cell_answers(table) for corner, table in shared.items()}
    for name in SUITES.get(suite).contrasted:
        metric = SUITES.get(suite).family.metric(name)
        if metric.branches:
            continue
        about = {corner: metric.items(found) for corner, found in answers.items()}
        usable = {corner: about[corner] & metric.usable(found) for corner, found in answers.items()}
        n_items = int(about[frozenset()].sum())
        fewest = min(int(mask.sum()) for mask in usable.values())
        if not any(mask.any() for mask in usable.values()):
            continue
        clusters = {corner: add_up(metric, found) for corner, found in answers.items()}
        names = ("decomposition", one.edge.path, one.reference.path, suite, form, name)
        rng = partial(generator, how.seed, *names)
        for component in components(split, clusters, metric, how, rng):
            interval = component.interval
            yield {
                "edge_cell": one.edge.path,
                "reference_cell": one.reference.path,
                "suite": suite,
                "format": form,
                "metric": name,
                "unit": component.unit,
                "component": component.name,
                "estimate": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "order_low": min(component.of_orders, default=math.nan),
                "order_high": max(component.of_orders, default=math.nan),
                "n_orders": len(split[0].of_orders),
                "n_items": n_items,
                "n_clusters": len(_side_by_side(clusters).contributing()),
                "coverage": fewest / n_items if n_items else math.nan,
                "reason": component.reason,
            }


def _in_format(table: pd.DataFrame | None, form: str) -> pd.DataFrame:
    return pd.DataFrame(columns=["format", *PAIR]) if table is None else table[table["format"] == form]


def components(
    split: Sequence[Part],
    clusters: Mapping[Corner, Clusters],
    metric: Metric,
    how: Resampling,
    rng: Callable[[], np.random.Generator],
) -> Iterator[Component]:
    """Yield the two scores, their difference and its parts, in points and in per cent of the reference.

    Args:
        split: the parts of the factors in which the two cells differ.
        clusters: sums of ``metric`` by corner, of the same clusters in the same order.
        metric: what is decomposed.
        how: size and level of the bootstrap.
        rng: called for each component, returns the same generator anew: all get the same draws of clusters.
    """
    both = _side_by_side(clusters)
    order = list(clusters)
    every = frozenset(factor for part in split for factor in part.factors)
    width = metric.high - metric.low

    def scores(totals: FloatArray) -> dict[Corner, FloatArray]:
        pieces = np.split(totals, len(order), axis=-1)
        return {corner: metric.formula(piece) for corner, piece in zip(order, pieces, strict=True)}

    def interval(formula: Formula, bounds: tuple[float, float]) -> Interval:
        return bootstrap(both, formula, bounds=bounds, resamples=how.resamples, confidence=how.confidence, rng=rng())

    def in_points(weights: Mapping[Corner, float]) -> Formula:
        return lambda totals: value(weights, scores(totals))

    def in_percent(weights: Mapping[Corner, float]) -> Formula:
        def formula(totals: FloatArray) -> FloatArray:
            found = scores(totals)
            base = found[frozenset()]
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(np.where(base > 0, 100.0 * value(weights, found) / base, np.nan), dtype=np.float64)

        return formula

    totals = both.sums.sum(axis=0)
    for name, corner in ((REFERENCE, frozenset[str]()), (EDGE, every)):
        found = interval(in_points({corner: 1.0}), (metric.low, metric.high))
        yield Component(name, POINTS, found, reason=_reason(found))
    whole = Part(tuple(every), {every: 1.0, frozenset(): -1.0}, ())
    named = [(EXCESS, whole), *((" and ".join(part.factors), part) for part in split)]
    for name, part in named:
        of_orders = tuple(float(in_points(weights)(totals)) for weights in part.of_orders)
        if _is_equal(part, clusters):
            yield Component(name, POINTS, Interval(0.0, 0.0, 0.0, 0.0), of_orders, EQUAL)
            continue
        found = interval(in_points(part.weights), (-width, width))
        yield Component(name, POINTS, found, of_orders, _reason(found))
    if metric.low < 0.0:  # a signed score
        return
    base = interval(in_points({frozenset(): 1.0}), (metric.low, metric.high))
    unstable = not base.low > 0.0  # without an interval, too
    for name, part in named:
        if unstable:
            undefined = Interval(math.nan, math.nan, math.nan, math.nan)
            yield Component(name, PERCENT, undefined, reason=UNSTABLE)
            continue
        of_orders = tuple(float(in_percent(weights)(totals)) for weights in part.of_orders)
        if _is_equal(part, clusters):
            yield Component(name, PERCENT, Interval(0.0, 0.0, 0.0, 0.0), of_orders, EQUAL)
            continue
        found = interval(in_percent(part.weights), (-100.0, 100.0))
        if found.error == 0.0:
            found = Interval(found.estimate, math.nan, math.nan, 0.0)
        yield Component(name, PERCENT, found, of_orders, _reason(found))


EQUAL = "equal in every cluster"
UNSTABLE = "the interval of the reference's score includes 0 or is unknown: a ratio to it has no meaning"


def _side_by_side(clusters: Mapping[Corner, Clusters]) -> Clusters:
    first = next(iter(clusters.values()))
    return Clusters(first.names, first.strata, np.concatenate([found.sums for found in clusters.values()], axis=1))


def _is_equal(part: Part, clusters: Mapping[Corner, Clusters]) -> bool:
    """Return whether the two cells of each step of this part have the same sums in every cluster."""
    steps = part.of_orders or (part.weights,)
    return all(
        np.array_equal(clusters[first].sums, clusters[second].sums) for first, second in (tuple(step) for step in steps)
    )


def _reason(interval: Interval) -> str:
    if not math.isfinite(interval.estimate):
        return "no usable answer in one of the cells: a score is undefined"
    if interval.error == 0.0:
        return "no variation between clusters"
    return "" if math.isfinite(interval.low) else "too few clusters with usable answers for an interval"

"""The tables of bias inheritance: scores of builds, their trends, what mitigations take away, what was written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from edgebias.core.arrays import FloatArray
from edgebias.core.cell import Cell
from edgebias.core.seeds import generator
from edgebias.core.table import FILLED, Column, Table, ascending, at_least, between, one_of
from edgebias.score.contrasts.cells import REFERENCE_VARIANT
from edgebias.score.contrasts.pairs import Joined, on_shared_items
from edgebias.score.inheritance.builds import (
    MITIGATIONS,
    UNMITIGATED,
    Series,
    TrainedOn,
    by_place,
    rank,
    reference_of,
    series_of,
)
from edgebias.score.inheritance.measures import ASPECTS, BIAS, UNITS, Measure, measures_of
from edgebias.score.inheritance.trend import ratio_trend
from edgebias.stats.bootstrap import Resampling, bootstrap
from edgebias.stats.clusters import Clusters
from edgebias.stats.contrasts import Difference, corrected, paired_difference
from edgebias.suites.formats import FORMATS

UNTRAINED = "untrained"
"""Stands for the mitigation of the build that was not trained, where the study asks it."""

LARGEST_SHARE = 1000.0
"""Per cent of an inherited change beyond which a share says nothing."""

PLACE_COLUMNS = (
    Column("environment", "str", "where the builds run", rule=FILLED),
    Column("model", "str", "their model", rule=FILLED),
)
MEASURE_COLUMNS = (
    Column("suite", "str", "the task", rule=FILLED),
    Column("format", "str", "of the responses", rule=one_of(FORMATS)),
    Column("measure", "str", "the score", rule=FILLED),
    Column("aspect", "str", "`bias`; `men` or `women` apart; `both`: ability", rule=one_of(ASPECTS)),
    Column("unit", "str", "of the score", rule=one_of(UNITS)),
)
COUNTS = (
    Column("n_clusters", "int", "sentences, or pairs of a woman and a man, that count", rule=at_least(0)),
    Column("reason", "str", "why a value is NaN; empty where there is nothing to say"),
)
INHERITANCE = Table(
    name="inheritance",
    meaning="One score of one build, and its change from the build that was trained on original sentences alone.",
    path="results/{study}/compare/inheritance.csv",
    columns=(
        *PLACE_COLUMNS,
        Column("variant", "str", "the build", rule=FILLED),
        Column("ratio", "float", "share of its training examples that the model wrote", between(0, 1), undefined=True),
        Column("bias", "str", "type of bias of these; empty at ratio 0"),
        Column(
            "mitigation",
            "str",
            "what was done about them; `untrained`: the build before any training",
            rule=one_of((*MITIGATIONS, UNTRAINED)),
        ),
        Column("seed", "int", "of the draw of examples; 0 for the build before training", rule=at_least(0)),
        *MEASURE_COLUMNS,
        Column("ideal", "float", "the score without bias, or of a perfect model", undefined=True),
        Column("estimate", "float", "the score", undefined=True),
        Column("low", "float", "lower end of its interval over clusters", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column(
            "change",
            "float",
            "less the score of the build of ratio 0 with the smallest seed, on the same items; NaN for that build",
            undefined=True,
        ),
        Column("change_low", "float", "lower end of its interval (paired, over clusters)", undefined=True),
        Column("change_high", "float", "upper end", undefined=True),
        Column("p", "float", "of no change, by swaps within clusters", rule=between(0, 1), undefined=True),
        Column(
            "p_corrected",
            "float",
            "`p` corrected (`compare.correction`) in one place, of bias and of others apart, over the changes of "
            "builds with augmented examples, of ratio 0 with another seed, and of the build before training",
            rule=between(0, 1),
            undefined=True,
        ),
        Column(
            "minimum_detectable_effect",
            "float",
            "smallest change that this many clusters would find (80 % power, 5 % level)",
            rule=at_least(0.0),
            undefined=True,
        ),
        *COUNTS,
    ),
    order=("environment", "model", "suite", "format", "measure", "bias", "mitigation", "ratio", "seed", "variant"),
    relations=(ascending("low", "high"), ascending("change_low", "change_high"), ascending("p", "p_corrected")),
)
TREND = Table(
    name="inheritance trend",
    meaning="How one score changes with the share of examples that the model wrote, over the builds of one series.",
    path="results/{study}/compare/inheritance_trends.csv",
    columns=(
        *PLACE_COLUMNS,
        Column("bias", "str", "type of bias of the augmented examples", rule=FILLED),
        Column("mitigation", "str", "what was done about them", rule=one_of(MITIGATIONS)),
        *MEASURE_COLUMNS,
        Column("n_runs", "int", "trained builds, those of ratio 0 among them", rule=at_least(0)),
        Column("slope", "float", "change of the score for ten per cent points more of the ratio", undefined=True),
        Column("low", "float", "lower end of its interval over clusters, for these very builds", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column("p", "float", "of no trend, by shuffles of builds within clusters", rule=between(0, 1), undefined=True),
        Column(
            "p_corrected",
            "float",
            "`p` corrected (`compare.correction`) over the trends of one place, of bias and of others",
            rule=between(0, 1),
            undefined=True,
        ),
        Column(
            "p_runs",
            "float",
            "of no trend, by orders of the builds: whether it stands out of what training runs differ by chance",
            rule=between(0, 1),
            undefined=True,
        ),
        *COUNTS,
    ),
    order=("environment", "model", "suite", "format", "measure", "bias", "mitigation"),
    relations=(ascending("low", "high"), ascending("p", "p_corrected")),
)
MITIGATED = Table(
    name="inheritance mitigation",
    meaning="What a mitigation does to a score at one ratio, beside the same ratio without it.",
    path="results/{study}/compare/inheritance_mitigations.csv",
    columns=(
        *PLACE_COLUMNS,
        Column("bias", "str", "type of bias of the augmented examples", rule=FILLED),
        Column("ratio", "float", "share of examples that the model wrote", rule=between(0, 1)),
        Column("seed", "int", "of the draw of examples", rule=at_least(0)),
        Column("mitigation", "str", "what was done about them", rule=one_of(MITIGATIONS[1:])),
        *MEASURE_COLUMNS,
        Column("inherited", "float", "change from ratio 0 without the mitigation", undefined=True),
        Column("inherited_low", "float", "lower end of its interval (paired, over clusters)", undefined=True),
        Column("inherited_high", "float", "upper end", undefined=True),
        Column("difference", "float", "the score with the mitigation less that without it", undefined=True),
        Column("low", "float", "lower end of its interval (paired, over clusters)", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column("p", "float", "of no difference, by swaps within clusters", rule=between(0, 1), undefined=True),
        Column(
            "p_corrected",
            "float",
            "`p` corrected (`compare.correction`) over the rows of one place, of bias and of others",
            rule=between(0, 1),
            undefined=True,
        ),
        Column(
            "removed",
            "float",
            "per cent of the inherited change that the mitigation takes away; above 100 it goes beyond ratio 0, below "
            "0 it adds to the change; NaN where the change cannot be told from 0",
            undefined=True,
        ),
        Column("removed_low", "float", "lower end of its interval (paired, over clusters)", undefined=True),
        Column("removed_high", "float", "upper end", undefined=True),
        *COUNTS,
    ),
    order=("environment", "model", "suite", "format", "measure", "bias", "ratio", "seed", "mitigation"),
    relations=(
        ascending("inherited_low", "inherited_high"),
        ascending("low", "high"),
        ascending("removed_low", "removed_high"),
        ascending("p", "p_corrected"),
    ),
)
WRITTEN_TEXTS = Table(
    name="inheritance texts",
    meaning="How many texts about a job the model wrote for one kind of prompts, and how many are fit to train on.",
    path="results/{study}/compare/inheritance_texts.csv",
    columns=(
        Column("kind", "str", "type of bias of the prompts, or `neutral`", rule=FILLED),
        Column("job", "str", "whom they are about", rule=FILLED),
        Column("n_asked", "int", "texts asked for", rule=at_least(0)),
        Column("n_kept", "int", "fit to train on", rule=at_least(0)),
        Column("n_women", "int", "of these, with female pronouns alone", rule=at_least(0)),
        Column("n_men", "int", "with male pronouns alone", rule=at_least(0)),
        Column("unfit", "str", "what became of most others; empty where all are fit"),
    ),
    order=("kind", "job"),
)

Rows = list[dict[str, Any]]


class Score(NamedTuple):
    """A measure in one format, with the clusters of each cell on the items that all of them answered."""

    form: str
    measure: Measure
    clusters: Mapping[Cell, Clusters]

    @property
    def key(self) -> dict[str, str]:
        """What the rows of the score have in common."""
        one = self.measure
        return {
            "suite": one.suite,
            "format": self.form,
            "measure": one.name,
            "aspect": one.aspect,
            "unit": one.unit,
        }


def inheritance_tables(
    cells: Sequence[Cell],
    suites: Sequence[str],
    builds: Mapping[str, TrainedOn],
    joined: Joined,
    how: Resampling,
    correction: str,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the rows of `INHERITANCE`, `TREND` and `MITIGATED`.

    Args:
        cells: those of the study.
        suites: the tasks.
        builds: what each trained variant was trained on.
        joined: gives the joined responses of a cell to a suite.
        how: seed, samples and confidence.
        correction: of p-values, a method of statsmodels.

    Raises:
        InputError: trained builds have none of ratio 0 beside them.
    """
    found: tuple[Rows, Rows, Rows] = ([], [], [])
    for place, trained in by_place(cells, builds).items():
        untrained = Cell(place.environment, place.model, REFERENCE_VARIANT)
        asked = [*trained, *([untrained] if untrained in cells else [])]
        of_place: tuple[Rows, Rows, Rows] = ([], [], [])
        for score in _scores(asked, suites, joined):
            of_place[0].extend(_estimates(score, trained, how))
            of_place[1].extend(_trends(score, series_of(trained), how))
            of_place[2].extend(_mitigations(score, trained, how))
        for rows, more in zip(found, of_place, strict=True):
            rows += [{**vars(place), **row} for row in _corrected(more, correction)]
    tables = (pd.DataFrame(rows, columns=list(table.names)) for rows, table in zip(found, TABLES, strict=True))
    estimates, trends, mitigated = tables
    return estimates, trends, mitigated


TABLES = (INHERITANCE, TREND, MITIGATED)


def texts_table(texts: Sequence[pd.DataFrame], kept: str) -> pd.DataFrame:
    """Count texts by kind and job (`WRITTEN_TEXTS`).

    Args:
        texts: tables with the columns ``kind``, ``job``, ``gender`` and ``outcome``.
        kept: the outcome of those that are fit to train on.
    """
    rows: Rows = []
    for table in texts:
        for (kind, job), part in table.groupby(["kind", "job"], sort=True):
            fit = part[part["outcome"] == kept]
            others = part.loc[part["outcome"] != kept, "outcome"].value_counts()
            rows.append(
                {
                    "kind": kind,
                    "job": job,
                    "n_asked": len(part),
                    "n_kept": len(fit),
                    "n_women": int((fit["gender"] == "female").sum()),
                    "n_men": int((fit["gender"] == "male").sum()),
                    "unfit": str(min(others[others == others.max()].index)) if len(others) else "",
                }
            )
    return pd.DataFrame(rows, columns=list(WRITTEN_TEXTS.names))


def _scores(cells: Sequence[Cell], suites: Sequence[str], joined: Joined) -> Iterator[Score]:
    """Yield every measure of every format that all cells answered."""
    for suite in suites:
        tables = {cell: joined(cell, suite) for cell in cells}
        answered = {cell: table for cell, table in tables.items() if table is not None}
        if len(answered) < len(cells):
            continue
        for form in [name for name in FORMATS if all((table["format"] == name).any() for table in answered.values())]:
            rows = on_shared_items([table[table["format"] == form] for table in answered.values()])
            for measure in measures_of(suite, form):
                yield Score(form, measure, dict(zip(answered, map(measure.clusters, rows), strict=True)))


def _estimates(score: Score, trained: Mapping[Cell, TrainedOn], how: Resampling) -> Iterator[dict[str, Any]]:
    reference = reference_of(trained)
    measure = score.measure
    for cell, clusters in score.clusters.items():
        interval = bootstrap(
            clusters,
            measure.formula,
            bounds=measure.bounds,
            resamples=how.resamples,
            confidence=how.confidence,
            rng=_rng(how, "estimate", score),
        )
        one = trained.get(cell)
        row: dict[str, Any] = {
            "variant": cell.variant,
            "ratio": math.nan if one is None else one.ratio,
            "bias": "" if one is None else one.bias,
            "mitigation": UNTRAINED if one is None else one.mitigation,
            "seed": 0 if one is None else one.seed,
            **score.key,
            "ideal": measure.ideal,
            "estimate": interval.estimate,
            "low": interval.low,
            "high": interval.high,
            **dict.fromkeys(("change", "change_low", "change_high", "p", "minimum_detectable_effect"), math.nan),
            "n_clusters": len(clusters.contributing()),
            "reason": "" if math.isfinite(interval.low) else "too few clusters with usable answers for an interval",
        }
        if cell != reference:
            change = _difference(score, cell, reference, how)
            row |= {
                "change": change.difference,
                "change_low": change.low,
                "change_high": change.high,
                "p": change.p,
                "minimum_detectable_effect": change.minimum_detectable_effect,
                "reason": row["reason"] or change.reason,
            }
        yield row


def _trends(score: Score, series: Sequence[Series], how: Resampling) -> Iterator[dict[str, Any]]:
    for one in series:
        ratios = [trained.ratio for _, trained in one.runs]
        sides = [score.clusters[cell] for cell, _ in one.runs]
        found = ratio_trend(
            sides,
            ratios,
            score.measure.formula,
            bounds=score.measure.bounds,
            resamples=how.resamples,
            confidence=how.confidence,
            rng=_rng(how, "trend", score),
        )
        if one.mitigation != UNMITIGATED and not math.isfinite(found.slope):
            continue  # a mitigation at one ratio alone has a row of its own in the table of mitigations
        yield {
            "bias": one.bias,
            "mitigation": one.mitigation,
            **score.key,
            "n_runs": len(one.runs),
            **vars(found),
            "n_clusters": len(sides[0].contributing()),
        }


def _mitigations(score: Score, trained: Mapping[Cell, TrainedOn], how: Resampling) -> Iterator[dict[str, Any]]:
    plain = {
        (one.bias, one.ratio, one.seed): cell
        for cell, one in trained.items()
        if one.ratio > 0 and one.mitigation == UNMITIGATED
    }
    reference = reference_of(trained)
    mitigated = sorted(
        ((one, cell) for cell, one in trained.items() if one.ratio > 0 and one.mitigation != UNMITIGATED),
        key=lambda pair: (pair[0].bias, pair[0].ratio, pair[0].seed, rank(pair[0].mitigation)),
    )
    for one, cell in mitigated:
        without = plain.get((one.bias, one.ratio, one.seed))
        if without is None:
            continue
        inherited = _difference(score, without, reference, how)
        effect = _difference(score, cell, without, how)
        row: dict[str, Any] = {
            "bias": one.bias,
            "ratio": one.ratio,
            "seed": one.seed,
            "mitigation": one.mitigation,
            **score.key,
            "inherited": inherited.difference,
            "inherited_low": inherited.low,
            "inherited_high": inherited.high,
            "difference": effect.difference,
            "low": effect.low,
            "high": effect.high,
            "p": effect.p,
            **dict.fromkeys(("removed", "removed_low", "removed_high"), math.nan),
            "n_clusters": effect.n_clusters,
            "reason": effect.reason,
        }
        if inherited.low > 0 or inherited.high < 0:
            row |= _removed(score, cell, without, reference, how)
        else:
            row["reason"] = row["reason"] or "the inherited change cannot be told from 0"
        yield row


def _removed(score: Score, cell: Cell, without: Cell, reference: Cell, how: Resampling) -> dict[str, float]:
    """Return the share of the inherited change that a mitigation takes away, in per cent."""
    sides = [score.clusters[one] for one in (cell, without, reference)]
    k = sides[0].sums.shape[1]

    def share(totals: FloatArray) -> FloatArray:
        with_it, plain, clean = (score.measure.formula(totals[..., n * k : (n + 1) * k]) for n in range(3))
        inherited = plain - clean
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(inherited != 0, 100.0 * (plain - with_it) / inherited, np.nan)
        return np.asarray(np.clip(found, -LARGEST_SHARE, LARGEST_SHARE), dtype=np.float64)

    interval = bootstrap(
        Clusters(sides[0].names, sides[0].strata, np.concatenate([side.sums for side in sides], axis=1)),
        share,
        bounds=(-LARGEST_SHARE, LARGEST_SHARE),
        resamples=how.resamples,
        confidence=how.confidence,
        rng=_rng(how, "removed", score),
    )
    return {"removed": interval.estimate, "removed_low": interval.low, "removed_high": interval.high}


def _difference(score: Score, a: Cell, b: Cell, how: Resampling) -> Difference:
    return paired_difference(
        score.clusters[a],
        score.clusters[b],
        score.measure.formula,
        bounds=score.measure.bounds,
        resamples=how.resamples,
        confidence=how.confidence,
        rng=_rng(how, "change", score),
    )


def _rng(how: Resampling, what: str, score: Score) -> np.random.Generator:
    """Return the draws of a score: the same for every build, so that builds differ by their answers alone."""
    return generator(how.seed, "inheritance", what, score.measure.suite, score.form, score.measure.name)


def _corrected(rows: Rows, correction: str) -> Rows:
    """Correct the p-values of each family: an aspect, and whether builds of ratio 0 are compared with each other."""
    families: dict[tuple[bool, ...], list[int]] = {}
    for place, row in enumerate(rows):
        untrained = row.get("mitigation") == UNTRAINED
        families.setdefault((row["aspect"] == BIAS, row.get("ratio") == 0, untrained), []).append(place)
    result = [dict(row) for row in rows]
    for places in families.values():
        for place, p in zip(places, corrected([rows[one]["p"] for one in places], correction), strict=True):
            result[place]["p_corrected"] = p
    return result

"""The table of paired contrasts."""

from __future__ import annotations

import pandas as pd

from edgebias.core.seeds import generator
from edgebias.core.table import FILLED, Column, Table, ascending, at_least, between, one_of
from edgebias.metrics.estimate import add_up
from edgebias.score.contrasts.cells import DEPLOYED, ENVIRONMENT, VARIANT, Contrast
from edgebias.score.contrasts.pairs import Joined, paired
from edgebias.score.table import cell_answers
from edgebias.stats.bootstrap import Resampling
from edgebias.stats.clusters import align
from edgebias.stats.contrasts import corrected, paired_difference
from edgebias.suites.formats import FORMATS, LETTER, LETTER_BALANCED
from edgebias.suites.registry import SUITES

SORT_BY = ("kind", "cell_a", "cell_b", "suite", "format", "metric")
CONTRAST = Table(
    name="contrast",
    meaning="One main metric in two cells on the same items: a minus b. Percent and percentage points.",
    path="results/{study}/compare/contrasts.csv",
    columns=(
        Column(
            "kind",
            "str",
            "`environment`: same weights in two environments; `deployed`: the edge build against another; "
            "`variant`: a build against full precision in one environment",
            rule=one_of((DEPLOYED, ENVIRONMENT, VARIANT)),
        ),
        Column("cell_a", "str", "`environment/model/variant`", rule=FILLED),
        Column("cell_b", "str", "`environment/model/variant`", rule=FILLED),
        Column("suite", "str", "the benchmark", rule=FILLED),
        Column(
            "format",
            "str",
            "of the responses, which both cells have; balanced letters stand for plain ones",
            rule=one_of(FORMATS),
        ),
        Column("metric", "str", "as in the score table", rule=FILLED),
        Column("estimate_a", "float", "the score of `cell_a` on the shared items", undefined=True),
        Column("estimate_b", "float", "the score of `cell_b` on the shared items", undefined=True),
        Column("difference", "float", "`estimate_a - estimate_b`", undefined=True),
        Column("low", "float", "lower end of the interval of the difference (paired, over clusters)", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column("p", "float", "of no difference, uncorrected", rule=between(0.0, 1.0), undefined=True),
        Column(
            "p_corrected",
            "float",
            "`p` corrected within the family (`compare.correction`)",
            rule=between(0.0, 1.0),
            undefined=True,
        ),
        Column("family", "str", "the contrasts that are corrected together: those of one kind", rule=FILLED),
        Column("family_size", "int", "p-values in the family", rule=at_least(0)),
        Column("n_items", "int", "shared items that the metric is about", rule=at_least(1)),
        Column("n_clusters", "int", "clusters that these come from", rule=at_least(0)),
        Column(
            "minimum_detectable_effect",
            "float",
            "smallest difference that this many clusters would find (80 % power, 5 % level); NaN where nothing varies",
            rule=at_least(0.0),
            undefined=True,
        ),
        Column("reason", "str", "why a value is NaN; empty where there is nothing to say"),
    ),
    order=SORT_BY,
    relations=(
        ascending("low", "high"),
        ascending("p", "p_corrected"),
        ascending("n_clusters", "n_items"),
    ),
)
CONTRAST_COLUMNS = CONTRAST.names


def contrast_table(
    contrasts: list[Contrast], suites: tuple[str, ...], joined: Joined, how: Resampling, correction: str
) -> pd.DataFrame:
    """Return one row per contrast, suite, shared format and main metric, with p-values corrected within each kind of
    contrast.

    Both cells enter with the items that both answered; each score uses its own usable answers of these, as the score
    tables do. ``family_size`` is the number of p-values that ``family`` has; undefined ones do not count.
    """
    rows = []
    for contrast in contrasts:
        for suite in suites:
            left, right = joined(contrast.a, suite), joined(contrast.b, suite)
            if left is not None and right is not None:
                rows += _rows(contrast, suite, left, right, how)
    table = pd.DataFrame(rows, columns=list(CONTRAST_COLUMNS))
    for _, members in table.groupby("family", sort=True):
        table.loc[members.index, "p_corrected"] = corrected(members["p"].tolist(), correction)
        table.loc[members.index, "family_size"] = int(members["p"].notna().sum())
    return table


def shared_formats(left: pd.DataFrame, right: pd.DataFrame) -> list[str]:
    """Return the formats in which two cells share pairs of responses.

    Balanced letters that are decided in different ways (`edgebias.infer.balance`) make no pairs.
    """
    both = sorted(set(left["format"]) & set(right["format"]))
    return [form for form in both if len(paired(left, right, form)[0])]


def compared_formats(left: pd.DataFrame, right: pd.DataFrame) -> list[str]:
    """Return the formats in which two cells are compared: balanced letters, where shared, stand for plain ones."""
    formats = shared_formats(left, right)
    return [form for form in formats if form != LETTER or LETTER_BALANCED not in formats]


def _rows(
    contrast: Contrast, suite: str, left: pd.DataFrame, right: pd.DataFrame, how: Resampling
) -> list[dict[str, str | int | float]]:
    rows: list[dict[str, str | int | float]] = []
    entry = SUITES.get(suite)
    for form in compared_formats(left, right):
        a, b = paired(left, right, form)
        answers_a, answers_b = cell_answers(a), cell_answers(b)
        for name in entry.contrasted:
            metric = entry.family.metric(name)
            about = metric.items(answers_a)
            usable = [bool((about & metric.usable(answers)).any()) for answers in (answers_a, answers_b)]
            if not all(usable):  # no log-probabilities on one side, say: there is nothing to contrast
                continue
            result = paired_difference(
                *align(add_up(metric, answers_a), add_up(metric, answers_b)),
                metric.formula,
                bounds=(metric.low, metric.high),
                resamples=how.resamples,
                confidence=how.confidence,
                rng=generator(how.seed, contrast.kind, contrast.a.path, contrast.b.path, suite, form, name),
                branches=metric.branches,
            )
            rows.append(
                {
                    "kind": contrast.kind,
                    "cell_a": contrast.a.path,
                    "cell_b": contrast.b.path,
                    "suite": suite,
                    "format": form,
                    "metric": name,
                    "estimate_a": result.estimate_a,
                    "estimate_b": result.estimate_b,
                    "difference": result.difference,
                    "low": result.low,
                    "high": result.high,
                    "p": result.p,
                    "family": contrast.kind,
                    "family_size": 0,
                    "n_items": int(about.sum()),
                    "n_clusters": result.n_clusters,
                    "minimum_detectable_effect": result.minimum_detectable_effect,
                    "reason": result.reason,
                }
            )
    return rows

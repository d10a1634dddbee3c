"""The table of trust: one row for each cell, dimension, suite and format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from edgebias.core.cell import Cell
from edgebias.core.seeds import generator
from edgebias.core.table import FILLED, Column, Table, ascending, at_least, between, one_of
from edgebias.metrics.answers import Answers
from edgebias.metrics.bounds import metric_bounds
from edgebias.metrics.estimate import add_up, score_interval
from edgebias.score.contrasts.pairs import Joined, paired
from edgebias.score.flips import flips_of, share_of
from edgebias.score.table import cell_answers
from edgebias.score.trust.asked import Measure, full_of, main_form, measures
from edgebias.score.trust.builds import Build
from edgebias.score.trust.closeness import trust_bounds, trust_of
from edgebias.score.trust.turned import BIASED, WORSE, WRONG, turned
from edgebias.stats.bootstrap import Resampling
from edgebias.stats.clusters import align
from edgebias.stats.contrasts import corrected, paired_difference
from edgebias.suites.base import DIMENSIONS, Suite
from edgebias.suites.formats import FORMATS

_SHARE = between(0.0, 100.0)
_P = between(0.0, 1.0)
KEY = ("environment", "model", "variant", "dimension", "suite", "format")
TRUST = Table(
    name="trust",
    meaning="One dimension of trust in one cell, by one suite in one format. Per cent and percentage points.",
    path="results/{study}/compare/trust.csv",
    columns=(
        Column("environment", "str", "of the cell", rule=FILLED),
        Column("model", "str", "of the cell", rule=FILLED),
        Column("variant", "str", "the build", rule=FILLED),
        Column("dimension", "str", "of trust; `benign` is ability, beside them", rule=one_of(DIMENSIONS)),
        Column("suite", "str", "the benchmark", rule=FILLED),
        Column("format", "str", "of the responses; balanced letters stand for plain ones", rule=one_of(FORMATS)),
        Column("metric", "str", "the first of the suite's main metrics in this format", rule=FILLED),
        Column(
            "main",
            "int",
            "1 where this format stands for the suite: the first that the cell and the full build both answered",
            rule=between(0, 1),
        ),
        Column("score", "float", "the metric itself", undefined=True),
        Column("ideal", "float", "its ideal value"),
        Column(
            "trust",
            "float",
            "100 x (1 - distance of the score from its ideal / the largest possible distance)",
            rule=_SHARE,
            undefined=True,
        ),
        Column("low", "float", "lower end of its interval over clusters", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column("bound_low", "float", "worst case over what was not answered; NaN where none is known", undefined=True),
        Column("bound_high", "float", "best case", undefined=True),
        Column("n", "int", "responses that the metric can use", rule=at_least(0)),
        Column("n_clusters", "int", "clusters that these come from", rule=at_least(0)),
        Column(
            "coverage",
            "float",
            "`n` as a share (0 to 1) of what the metric is about",
            rule=between(0, 1),
            undefined=True,
        ),
        Column("refusal", "float", "per cent of these responses that refuse", rule=_SHARE, undefined=True),
        Column("unparsed", "float", "per cent that name no option", rule=_SHARE, undefined=True),
        Column("blank", "float", "per cent without a letter or digit", rule=_SHARE, undefined=True),
        Column(
            "difference",
            "float",
            "trust minus that of the full build of the same model and environment, on the same items",
            undefined=True,
        ),
        Column("difference_low", "float", "lower end of its interval (paired, over clusters)", undefined=True),
        Column("difference_high", "float", "upper end", undefined=True),
        Column("p", "float", "of no difference, uncorrected", rule=_P, undefined=True),
        Column(
            "p_corrected",
            "float",
            "`p` corrected (`compare.correction`) within the rows of one model and environment that share `main`",
            rule=_P,
            undefined=True,
        ),
        Column(
            "minimum_detectable_effect",
            "float",
            "smallest difference that this many clusters would find (80 % power, 5 % level)",
            rule=at_least(0.0),
            undefined=True,
        ),
        Column("changed", "float", "answers that are another than the full build's", rule=_SHARE, undefined=True),
        Column("changed_low", "float", "lower end of its interval over clusters", rule=_SHARE, undefined=True),
        Column("changed_high", "float", "upper end", rule=_SHARE, undefined=True),
        Column(
            "worse",
            "str",
            f"what a worse answer is: `{WRONG}` (not the right option), `{BIASED}` (the stereotype), or `{WORSE}` "
            "(another that lowers trust); empty where single answers are no better than others",
        ),
        Column(
            "newly_worse",
            "float",
            "per cent of the full build's fine answers that this build answers, too, which are worse here",
            rule=_SHARE,
            undefined=True,
        ),
        Column("newly_worse_low", "float", "lower end of its interval over clusters", rule=_SHARE, undefined=True),
        Column("newly_worse_high", "float", "upper end", rule=_SHARE, undefined=True),
        Column(
            "newly_better",
            "float",
            "per cent of the full build's worse answers that this build answers, too, which are fine here",
            rule=_SHARE,
            undefined=True,
        ),
        Column("perplexity", "float", "of the build on neutral text, from its record", undefined=True),
        Column(
            "nominal_bits",
            "int",
            "bits of the method, or of the type that most weights of the file have; -1 where neither is known",
            rule=at_least(-1),
        ),
        Column(
            "bits_per_weight",
            "float",
            "as found in the build's file; where that holds decoded weights, as it would have them as codes",
            undefined=True,
        ),
        Column(
            "sparsity",
            "float",
            "share (0 to 1) of the prunable weights that are 0, be it by pruning or by rounding",
            undefined=True,
        ),
        Column("pruned", "float", "share (0 to 1) of them that pruning set to 0, here or in a parent", rule=_P),
        Column("recipe", "str", "how it was made, in words, but for its seed; empty without a record"),
        Column("seed", "int", "of its calibration; -1 where nothing was calibrated", rule=at_least(-1)),
        Column(
            "seed_deviation",
            "float",
            "standard deviation of trust between the builds of this recipe, one of each seed; NaN of a single seed",
            rule=at_least(0.0),
            undefined=True,
        ),
        Column("reason", "str", "why a value is NaN; empty where there is nothing to say"),
    ),
    order=KEY,
    relations=(
        ascending("low", "high"),
        ascending("bound_low", "bound_high"),
        ascending("difference_low", "difference_high"),
        ascending("p", "p_corrected"),
        ascending("changed_low", "changed", "changed_high"),
        ascending("newly_worse_low", "newly_worse", "newly_worse_high"),
        ascending("n_clusters", "n"),
    ),
)
NAN = math.nan
FULL = "the full build itself"
_COMPARED = {
    **dict.fromkeys(("difference", "difference_low", "difference_high", "p", "p_corrected"), NAN),
    **dict.fromkeys(("minimum_detectable_effect", "changed", "changed_low", "changed_high"), NAN),
    **dict.fromkeys(("newly_worse", "newly_worse_low", "newly_worse_high", "newly_better"), NAN),
    "seed_deviation": NAN,
    "worse": "",
}


def trust_table(
    cells: Sequence[Cell],
    suites: Sequence[Suite],
    joined: Joined,
    builds: Mapping[tuple[str, str], Build],
    how: Resampling,
    correction: str,
) -> pd.DataFrame:
    """Return one row per cell, suite and format.

    Args:
        cells: those of the study.
        suites: those that measure a dimension of trust.
        joined: gives the joined responses of a cell to a suite.
        builds: what is known of each build, by model and variant; a build that runs elsewhere has no entry.
        how: seed, samples and confidence.
        correction: of p-values, a method of statsmodels.
    """
    rows = []
    for cell in cells:
        for suite in suites:
            responses = joined(cell, suite.name)
            if responses is None:
                continue
            main = main_form(suite, cell, cells, joined)
            full = full_of(cell, cells)
            other = joined(full, suite.name) if full is not None and full != cell else None
            for measure in measures(suite, responses):
                key = {**vars(cell), "dimension": suite.dimension, "suite": suite.name, "format": measure.form}
                own = _own(cell, measure, responses[responses["format"] == measure.form], how)
                beside = _beside(cell, measure, responses, other, how) if other is not None else {}
                reason = own.pop("reason") or (FULL if full == cell else "")
                build = builds.get((cell.model, cell.variant), Build())
                filled = {**_COMPARED, "reason": "", **beside}
                filled["reason"] = reason or filled["reason"]
                if full is None:
                    filled["reason"] = filled["reason"] or "the full build of this model is no cell of this environment"
                rows.append({**key, "main": int(measure.form == main), **own, **filled, **vars(build)})
    table = pd.DataFrame(rows, columns=list(TRUST.names))
    for _, seeds in table[table["seed"] >= 0].groupby(["environment", "model", "suite", "format", "recipe"]):
        table.loc[seeds.index, "seed_deviation"] = seeds.drop_duplicates("seed")["trust"].std(ddof=1)
    for _, members in table.groupby(["environment", "model", "main"], sort=True):
        table.loc[members.index, "p_corrected"] = corrected(members["p"].tolist(), correction)
    return table


def _own(cell: Cell, measure: Measure, responses: pd.DataFrame, how: Resampling) -> dict[str, Any]:
    """Return what a row says of the cell itself."""
    metric, answers = measure.metric, cell_answers(responses)
    about = metric.items(answers)
    n_items = int(about.sum())
    n = int((about & metric.usable(answers)).sum())
    clusters = add_up(metric, answers)
    totals = clusters.sums.sum(axis=0)
    interval = score_interval(
        clusters,
        trust_of(metric),
        resamples=how.resamples,
        confidence=how.confidence,
        rng=generator(how.seed, "trust", measure.suite.name, measure.form),
    )
    bounds = trust_bounds(metric, metric_bounds(metric, answers, totals))
    outcomes = answers.outcome[about]
    return {
        "metric": metric.name,
        "score": float(metric.formula(totals)),
        "ideal": metric.ideal,
        "trust": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "bound_low": bounds.low,
        "bound_high": bounds.high,
        "n": n,
        "n_clusters": len(clusters.contributing()),
        "coverage": n / n_items if n_items else NAN,
        **{name: _percent(outcomes == name) for name in ("refusal", "unparsed", "blank")},
        "reason": "" if math.isfinite(interval.estimate) else "too few usable answers: the score is undefined",
    }


def _percent(hits: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    return 100.0 * float(hits.mean()) if len(hits) else NAN


def _beside(
    cell: Cell, measure: Measure, responses: pd.DataFrame, full: pd.DataFrame, how: Resampling
) -> dict[str, Any]:
    """Return what a row says of the cell beside the full build, on the items that both answered."""
    left, right = paired(responses, full, measure.form)
    if left.empty:
        return {"reason": "the full build has no answers in this format"}
    trust, build, reference = trust_of(measure.metric), cell_answers(left), cell_answers(right)
    names = (cell.path, measure.suite.name, measure.form)
    found = paired_difference(
        *align(add_up(trust, build), add_up(trust, reference)),
        trust.formula,
        bounds=(trust.low, trust.high),
        resamples=how.resamples,
        confidence=how.confidence,
        rng=generator(how.seed, "trust difference", *names[1:]),
        branches=trust.branches,
    )
    difference = {
        "difference": found.difference,
        "difference_low": found.low,
        "difference_high": found.high,
        "p": found.p,
        "minimum_detectable_effect": found.minimum_detectable_effect,
        "reason": found.reason,
    }
    return difference | (_changes(names, measure, build, reference, how) if not measure.suite.open_ended else {})


def _changes(
    names: tuple[str, str, str], measure: Measure, build: Answers, reference: Answers, how: Resampling
) -> dict[str, Any]:
    flips = flips_of(names, build, reference, how, by_likelihood=measure.suite.pairs_of_sentences)
    found = {"changed": flips.changed, "changed_low": flips.low, "changed_high": flips.high}
    turns = turned(measure.metric, build, reference)
    if turns is None:
        return found
    # the draws are the same for all builds
    newly = share_of(reference, turns.newly, turns.at_risk, how, names[1:])
    better = share_of(reference, turns.no_longer, turns.worse_before, how, (*names[1:], "back"))
    return {
        **found,
        "worse": turns.worse,
        "newly_worse": newly.estimate,
        "newly_worse_low": newly.low,
        "newly_worse_high": newly.high,
        "newly_better": better.estimate,
    }

"""What steering wins back of the bias of compressed builds: each build's own vector beside that of the full build."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from edgebias.core.cell import Cell
from edgebias.core.errors import InputError
from edgebias.core.files import read_table
from edgebias.core.seeds import generator
from edgebias.core.table import FILLED, Column, Table, ascending, at_least, between, one_of
from edgebias.metrics.estimate import add_up
from edgebias.mitigate.held_out import HELD_OUT, read_split
from edgebias.mitigate.pairs import FULL, OWN, Pair, vectors_on
from edgebias.mitigate.preserved_texts import NEUTRAL_TEXT, PERPLEXITY_RISE, REFERENCE_ANSWERS
from edgebias.mitigate.reductions import (
    CORRECTION,
    MITIGATION_COLUMNS,
    REDUCTION,
    RELATIVE_REDUCTION,
    reductions,
)
from edgebias.mitigate.registry import NONE
from edgebias.score.table import ALL, cell_answers, join, response_columns
from edgebias.score.trust.builds import Build
from edgebias.stats.bootstrap import Resampling
from edgebias.stats.clusters import align
from edgebias.stats.contrasts import corrected, paired_difference
from edgebias.suites.base import Suite
from edgebias.suites.formats import FORMATS, LIKELIHOOD
from edgebias.suites.registry import mitigated

BIAS, UTILITY = "bias", "utility"

NAN = math.nan
_P = between(0.0, 1.0)
KEY = ("environment", "model", "variant", "method", "vector", "against", "measure", "suite", "format", "metric")
WINS_BACK = Table(
    name="wins back",
    meaning="What a control vector does to one score of a build on held-out items, against the build unsteered, or "
    "what its own vector does against the full build's.",
    path="results/{study}/mitigation/wins_back.csv",
    columns=(
        Column("environment", "str", "of the build", rule=FILLED),
        Column("model", "str", "of the build", rule=FILLED),
        Column("variant", "str", "the build", rule=FILLED),
        Column("method", "str", "label of the method that steers along the build's own vector", rule=FILLED),
        Column(
            "vector",
            "str",
            f"`{OWN}`: learned on this build; `{FULL}`: on the full build of its model, which has its own alone",
            rule=one_of((OWN, FULL)),
        ),
        Column(
            "against",
            "str",
            f"`{NONE}`: this build unsteered; `{FULL}`: this build along the full build's vector",
            rule=one_of((NONE, FULL)),
        ),
        Column("measure", "str", "`bias`, or `utility`: what steering must not spoil", rule=one_of((BIAS, UTILITY))),
        Column("suite", "str", "the benchmark, or the texts that should stay as likely as they were", rule=FILLED),
        Column("format", "str", "of the responses", rule=one_of(FORMATS)),
        Column("metric", "str", "the score", rule=FILLED),
        Column("ideal", "float", "its ideal value"),
        Column("before", "float", "the score of what `against` names; NaN of perplexity", undefined=True),
        Column("after", "float", "the score along the vector; NaN of perplexity", undefined=True),
        Column(
            "change",
            "float",
            "of bias: points of distance from the ideal that are gone; of utility: `after` minus `before`, in points; "
            "of perplexity: per cent by which it rose",
            undefined=True,
        ),
        Column("low", "float", "lower end of its interval (paired, over clusters)", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column("p", "float", "of no change, uncorrected; NaN of perplexity", rule=_P, undefined=True),
        Column(
            "p_corrected",
            "float",
            "`p` corrected (Holm) over the builds, suites and vectors of one model that share `against` and `measure`",
            rule=_P,
            undefined=True,
        ),
        Column(
            "minimum_detectable_effect",
            "float",
            "smallest change that this many clusters would find (80 % power, 5 % level)",
            rule=at_least(0.0),
            undefined=True,
        ),
        Column(
            "percent",
            "float",
            "`change` of bias in per cent of the distance of `before`; NaN where that has no bias beyond its noise",
            undefined=True,
        ),
        Column("percent_low", "float", "lower end of its interval", undefined=True),
        Column("percent_high", "float", "upper end", undefined=True),
        Column("headroom", "str", "of bias: whether the interval of `before` excludes the ideal, and why"),
        Column("n", "int", "responses that the score can use, or texts", rule=at_least(0)),
        Column("n_clusters", "int", "clusters that these come from", rule=at_least(0)),
        Column("nominal_bits", "int", "bits of the build's method; -1 where they are not known", rule=at_least(-1)),
        Column("bits_per_weight", "float", "as in the table of trust", undefined=True),
        Column("pruned", "float", "share (0 to 1) of the prunable weights that pruning set to 0", rule=_P),
        Column("perplexity", "float", "of the unsteered build on neutral text, from its record", undefined=True),
        Column("reason", "str", "why a value is NaN; empty where there is nothing to say"),
    ),
    order=KEY,
    relations=(
        ascending("low", "high"),
        ascending("percent_low", "percent_high"),
        ascending("p", "p_corrected"),
        ascending("n_clusters", "n"),
    ),
)


class Evaluated:
    """What `edgebias mitigate` left of each build and method, each file read once."""

    def __init__(self, items_folder: Path, results: Path) -> None:
        """Remember where the files lie: item tables, and ``mitigation/{cell}/{method}`` below ``results``."""
        self._items, self._folder = items_folder, results / "mitigation"
        self._held_out = cache(lambda path: read_split(path, HELD_OUT))
        self._joined = cache(self._join)

    def suites(self) -> list[Suite]:
        """Return the suites with held-out items whose bias a mitigation is judged by.

        Raises:
            InputError: there is none.
        """
        found = [suite for suite in mitigated() if (self._items / f"{suite.name}.parquet").exists()]
        if not found:
            raise InputError(f"{self._items}: has items of no suite whose bias is judged; run the items stage")
        return found

    def responses(self, cell: Cell, method: str, suite: str) -> pd.DataFrame:
        """Return the joined responses of a build under a method to held-out items.

        Raises:
            InputError: they are absent or do not fit the items.
        """
        return self._joined(cell, method, suite)

    def rises(self, cell: Cell, method: str) -> pd.DataFrame:
        """Return by how much a method made texts less likely that it should leave alone.

        Raises:
            InputError: the table of scores is absent or unfit.
        """
        table = read_table(self._folder / cell.path / method / "scores.csv", MITIGATION_COLUMNS)
        return table[(table["metric"] == PERPLEXITY_RISE) & table["suite"].isin([NEUTRAL_TEXT, REFERENCE_ANSWERS])]

    def _join(self, cell: Cell, method: str, suite: str) -> pd.DataFrame:
        path = self._folder / cell.path / method / "responses.parquet"
        items_path = self._items / f"{suite}.parquet"
        items, responses = self._held_out(items_path), read_table(path, response_columns(suite))
        mine = responses[responses["item_id"].isin(items["item_id"])]
        return join(items, mine, suite=suite, items_name=items_path, responses_name=path)


def wins_back_table(
    cells: Sequence[Cell],
    pairs: Sequence[Pair],
    evaluated: Evaluated,
    builds: Mapping[tuple[str, str], Build],
    how: Resampling,
) -> pd.DataFrame:
    """Return what the vectors do to each score of each build.

    Args:
        cells: the builds.
        pairs: methods with the build's own vector and the full build's.
        evaluated: what was measured of them.
        builds: what their records say, by model and variant; a build without a record has no entry.
        how: seed, samples and confidence.

    Raises:
        InputError: a file is absent or unfit.
    """
    rows = []
    for cell in cells:
        build = builds.get((cell.model, cell.variant), Build())
        known = {name: getattr(build, name) for name in ("nominal_bits", "bits_per_weight", "pruned", "perplexity")}
        for pair in pairs:
            for row in _rows(cell, pair, evaluated, how):
                rows.append({**vars(cell), "method": pair.own, **known, **row})
    table = pd.DataFrame(rows, columns=list(WINS_BACK.names))
    for _, members in table.groupby(["environment", "model", "against", "measure"], sort=True):
        table.loc[members.index, "p_corrected"] = corrected(members["p"].tolist(), CORRECTION)
    return table


def _rows(cell: Cell, pair: Pair, evaluated: Evaluated, how: Resampling) -> Iterator[dict[str, Any]]:
    compared = [(vector, NONE, NONE) for vector in vectors_on(cell)]
    if FULL in vectors_on(cell):
        compared.append((OWN, FULL, pair.full))
    for vector, against, reference in compared:
        place = {"vector": vector, "against": against}
        label = pair.label(vector)
        for suite in evaluated.suites():
            before, after = (evaluated.responses(cell, one, suite.name) for one in (reference, label))
            for form in sorted(set(before["format"]) & set(after["format"])):
                first, second = (joined[joined["format"] == form] for joined in (before, after))
                yield place | _bias_row(suite, form, first, second, how)
                yield from (place | _utility_row(suite, form, name, first, second, how) for name in suite.utility)
        if against == NONE:
            yield from (place | _rise_row(row) for row in evaluated.rises(cell, label).to_dict("records"))


def _bias_row(suite: Suite, form: str, before: pd.DataFrame, after: pd.DataFrame, how: Resampling) -> dict[str, Any]:
    """Return what `reductions` says of all items of a suite: the numbers that the table of a method has, too."""
    table = reductions(before, after, suite.name, seed=how.seed, resamples=how.resamples, confidence=how.confidence)
    overall = {row["metric"]: row for row in table[table["category"] == ALL].to_dict("records")}
    points, share = overall[REDUCTION], overall[RELATIVE_REDUCTION]
    metric = suite.family.metric(suite.bias)
    scores = [float(metric.formula(add_up(metric, cell_answers(one)).sums.sum(axis=0))) for one in (before, after)]
    return {
        "measure": BIAS,
        "suite": suite.name,
        "format": form,
        "metric": metric.name,
        "ideal": metric.ideal,
        "before": scores[0],
        "after": scores[1],
        "change": points["estimate"],
        **{name: points[name] for name in ("low", "high", "p", "minimum_detectable_effect", "headroom")},
        **{"percent": share["estimate"], "percent_low": share["low"], "percent_high": share["high"]},
        **{"n": int(points["n"]), "n_clusters": int(points["n_clusters"])},
        "reason": str(points["reason"]) or str(share["reason"]),
    }


def _utility_row(
    suite: Suite, form: str, name: str, before: pd.DataFrame, after: pd.DataFrame, how: Resampling
) -> dict[str, Any]:
    """Return by how much a score has moved that steering must not spoil, paired over clusters."""
    metric = suite.family.metric(name)
    answers = [cell_answers(one) for one in (after, before)]
    found = paired_difference(
        *align(*(add_up(metric, one) for one in answers)),
        metric.formula,
        bounds=(metric.low, metric.high),
        resamples=how.resamples,
        confidence=how.confidence,
        rng=generator(how.seed, "wins back", suite.name, form, name),
        branches=metric.branches,
    )
    return {
        "measure": UTILITY,
        "suite": suite.name,
        "format": form,
        "metric": name,
        "ideal": metric.ideal,
        "before": found.estimate_b,
        "after": found.estimate_a,
        "change": found.difference,
        **{end: getattr(found, end) for end in ("low", "high", "p", "minimum_detectable_effect")},
        **dict.fromkeys(("percent", "percent_low", "percent_high"), NAN),
        "headroom": "",
        "n": min(int((metric.items(one) & metric.usable(one)).sum()) for one in answers),
        "n_clusters": found.n_clusters,
        "reason": found.reason,
    }


def _rise_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a rise of perplexity as the method's own table has it."""
    absent = ("before", "after", "p", "minimum_detectable_effect", "percent", "percent_low", "percent_high")
    return {
        **{"measure": UTILITY, "suite": row["suite"], "format": LIKELIHOOD, "metric": PERPLEXITY_RISE},
        **{"ideal": row["ideal"], "change": row["estimate"], "low": row["low"], "high": row["high"]},
        **dict.fromkeys(absent, NAN),
        **{"headroom": "", "n": int(row["n"]), "n_clusters": int(row["n_clusters"]), "reason": ""},
    }

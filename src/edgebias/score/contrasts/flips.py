"""The table of answers that change between the two cells of each contrast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from edgebias.core.table import FILLED, Column, Table, ascending, at_least, between, one_of
from edgebias.score.contrasts.cells import DEPLOYED, ENVIRONMENT, VARIANT, Contrast
from edgebias.score.contrasts.pairs import Joined, paired
from edgebias.score.contrasts.table import compared_formats
from edgebias.score.flips import flips_of
from edgebias.score.table import cell_answers
from edgebias.stats.bootstrap import Resampling
from edgebias.stats.contrasts import corrected
from edgebias.suites.formats import FORMATS
from edgebias.suites.registry import SUITES

_SHARE = between(0.0, 100.0)
CELL_FLIP = Table(
    name="cell flip",
    meaning="Answers that change between two cells, by direction: from `cell_b` to `cell_a`, on the same items. "
    "Per cent of the items where nothing else is said.",
    path="results/{study}/compare/flips.csv",
    columns=(
        Column("kind", "str", "as in the table of contrasts", rule=one_of((DEPLOYED, ENVIRONMENT, VARIANT))),
        Column("cell_a", "str", "`environment/model/variant`", rule=FILLED),
        Column("cell_b", "str", "`environment/model/variant`, the one that answers change from", rule=FILLED),
        Column("suite", "str", "the benchmark; open suites have nothing to choose", rule=FILLED),
        Column(
            "format",
            "str",
            "of the responses, which both cells have; balanced letters stand for plain ones",
            rule=one_of(FORMATS),
        ),
        Column("changed", "float", "answers that change; no choice is a choice of its own", rule=_SHARE),
        Column("low", "float", "lower end of its interval over clusters", rule=_SHARE, undefined=True),
        Column("high", "float", "upper end", rule=_SHARE, undefined=True),
        Column("towards", "float", "answers that become the stereotype", rule=_SHARE),
        Column("away", "float", "answers that were the stereotype and are not", rule=_SHARE),
        Column(
            "to_unknown", "float", "answers that become `unknown`; an answer can count in two of the four", rule=_SHARE
        ),
        Column("from_unknown", "float", "answers that were `unknown` and are not", rule=_SHARE),
        Column(
            "newly_biased",
            "float",
            "per cent of the answers that were not the stereotype which become it; NaN where there were none",
            rule=_SHARE,
            undefined=True,
        ),
        Column(
            "no_longer_biased",
            "float",
            "per cent of the answers that were the stereotype which are not any more",
            rule=_SHARE,
            undefined=True,
        ),
        Column(
            "p",
            "float",
            "of as many changes towards the stereotype as away from it: the cells are swapped within clusters; "
            "McNemar's test where each cluster has one answer",
            rule=between(0.0, 1.0),
            undefined=True,
        ),
        Column(
            "p_corrected",
            "float",
            "`p` corrected within `kind` (`compare.correction`)",
            rule=between(0.0, 1.0),
            undefined=True,
        ),
        Column("n", "int", "shared items", rule=at_least(1)),
        Column("n_clusters", "int", "clusters that these come from", rule=at_least(1)),
    ),
    order=("kind", "cell_a", "cell_b", "suite", "format"),
    relations=(
        ascending("low", "changed", "high"),
        ascending("p", "p_corrected"),
        ascending("n_clusters", "n"),
    ),
)


def flip_table(
    contrasts: Sequence[Contrast], suites: Sequence[str], joined: Joined, how: Resampling, correction: str
) -> pd.DataFrame:
    """Return one row per contrast, suite with options and compared format; p-values are corrected within each kind."""
    rows = []
    for contrast in contrasts:
        for suite in suites:
            entry = SUITES.get(suite)
            left, right = joined(contrast.a, suite), joined(contrast.b, suite)
            if left is None or right is None or entry.open_ended:
                continue
            for form in compared_formats(left, right):
                a, b = map(cell_answers, paired(left, right, form))
                found = flips_of((contrast.a.path, suite, form), a, b, how, by_likelihood=entry.pairs_of_sentences)
                cells = {"kind": contrast.kind, "cell_a": contrast.a.path, "cell_b": contrast.b.path}
                rows.append(cells | asdict(found))
    table = pd.DataFrame(rows, columns=list(CELL_FLIP.names))
    for _, members in table.groupby("kind", sort=True):
        table.loc[members.index, "p_corrected"] = corrected(members["p"].tolist(), correction)
    return table

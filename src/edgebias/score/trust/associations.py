"""What trust goes with over the builds of a model: ability, what is not answered, and perplexity."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import rankdata

from edgebias.core.arrays import FloatArray
from edgebias.core.table import FILLED, Column, Table, ascending, at_least, between, one_of
from edgebias.stats.bootstrap import Interval
from edgebias.suites.base import DIMENSIONS
from edgebias.suites.formats import FORMATS

BENIGN, REFUSAL, UNREAD, PERPLEXITY = "benign accuracy", "refusal", "unparsed or blank", "log perplexity"
AGAINST = (BENIGN, REFUSAL, UNREAD, PERPLEXITY)
FEWEST = 5
"""Builds from which a correlation is given: of four, the interval of any but a perfect one is nearly -1 to 1."""

CORRELATION = Table(
    name="trust correlation",
    meaning="Spearman's correlation of one dimension of trust with something else, over the builds of one model.",
    path="results/{study}/compare/trust_correlations.csv",
    columns=(
        Column("environment", "str", "of the cells", rule=FILLED),
        Column("model", "str", "of the cells", rule=FILLED),
        Column("dimension", "str", "of trust", rule=one_of(DIMENSIONS)),
        Column("suite", "str", "the benchmark", rule=FILLED),
        Column("format", "str", "of the responses", rule=one_of(FORMATS)),
        Column("against", "str", "what trust is correlated with", rule=one_of(AGAINST)),
        Column("rho", "float", "the correlation of ranks", rule=between(-1.0, 1.0), undefined=True),
        Column("low", "float", "lower end of its interval, as if builds were independent", undefined=True),
        Column("high", "float", "upper end", undefined=True),
        Column("n_builds", "int", "builds with both values", rule=at_least(0)),
        Column("reason", "str", "why a value is NaN; empty where there is nothing to say"),
    ),
    order=("environment", "model", "dimension", "suite", "format", "against"),
    relations=(ascending("low", "rho", "high"),),
)


def correlation_table(trust: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return the correlations of every suite and format in the table of trust, for each model and environment."""
    rows = []
    for (environment, model), table in trust.groupby(["environment", "model"], sort=True):
        benign = table[(table["dimension"] == "benign") & (table["main"] == 1)].groupby("variant")["trust"].mean()
        for (dimension, suite, form), part in table.groupby(["dimension", "suite", "format"], sort=True):
            beside = {
                BENIGN: part["variant"].map(benign).astype(float),
                REFUSAL: part["refusal"],
                UNREAD: part["unparsed"] + part["blank"],
                PERPLEXITY: np.log(part["perplexity"]),
            }
            key = {"environment": environment, "model": model, "dimension": dimension, "suite": suite, "format": form}
            for against, values in beside.items():
                if dimension == "benign" and against == BENIGN:
                    continue
                rows.append(
                    {**key, "against": against, **_row(part["trust"].to_numpy(), values.to_numpy(), confidence)}
                )
    return pd.DataFrame(rows, columns=list(CORRELATION.names))


def _row(trust: FloatArray, other: FloatArray, confidence: float) -> dict[str, float | int | str]:
    known = np.isfinite(trust) & np.isfinite(other)
    n = int(known.sum())
    undefined = {"rho": math.nan, "low": math.nan, "high": math.nan, "n_builds": n}
    if n < FEWEST:
        return {**undefined, "reason": f"too few builds with both values: {n} of at least {FEWEST}"}
    if np.ptp(trust[known]) == 0.0 or np.ptp(other[known]) == 0.0:
        return {**undefined, "reason": "one of the two is the same in all builds"}
    found = spearman(trust[known], other[known], confidence)
    return {"rho": found.estimate, "low": found.low, "high": found.high, "n_builds": n, "reason": ""}


def pearson(x: FloatArray, y: FloatArray, confidence: float) -> Interval:
    """Return the correlation of two columns with Fisher's interval.

    Fisher, Metron 1, 1921, pp. 3-32: the inverse hyperbolic tangent of r has a variance of 1 / (n - 3).
    """
    return _interval(float(np.corrcoef(x, y)[0, 1]), 1.0 / (len(x) - 3), confidence)


def spearman(x: FloatArray, y: FloatArray, confidence: float) -> Interval:
    """Return the correlation of ranks with its interval.

    Bonett and Wright, Psychometrika 65, 2000, pp. 23-28: as Fisher's, with a variance of (1 + rho^2 / 2) / (n - 3).
    """
    rho = float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
    return _interval(rho, (1.0 + rho**2 / 2.0) / (len(x) - 3), confidence)


def _interval(r: float, variance: float, confidence: float) -> Interval:
    error = math.sqrt(variance)
    if abs(r) >= 1.0 - 1e-12:  # the transform has no end there, and neither has the interval another side
        return Interval(math.copysign(1.0, r), math.nan, math.nan, error)
    centre, reach = math.atanh(r), float(ndtri((1.0 + confidence) / 2.0)) * error
    return Interval(r, math.tanh(centre - reach), math.tanh(centre + reach), error)

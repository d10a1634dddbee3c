"""The score table of one cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.seeds import generator
from edgebias.core.table import FILLED, Column, Table, ascending, at_least, between, one_of
from edgebias.infer.responses import RESPONSE
from edgebias.metrics.answers import OUTCOMES, ROLES, WRITTEN, Answers, answers_from_columns
from edgebias.metrics.bounds import metric_bounds
from edgebias.metrics.estimate import add_up, score_interval
from edgebias.metrics.metric import Family, Metric
from edgebias.metrics.text_scores import open_scores
from edgebias.suites.formats import FORMATS, SHOWN_IN_ORDER
from edgebias.suites.item import ITEM
from edgebias.suites.registry import SUITES

ITEM_COLUMNS = ("item_id", "suite", "category", "cluster", "condition", "options", "roles", "label")
RESPONSE_COLUMNS = (
    "item_id",
    "format",
    "permutation",
    "template",
    "round",
    "option_logprobs",
    "n_tokens",
    "choice",
    "outcome",
)
TEXT_COLUMN = "text"
"""What a response to an open suite must have besides `RESPONSE_COLUMNS`: the text that is scored."""
SORT_BY = ("suite", "format", "category", "metric")
SCORE = Table(
    name="score",
    meaning="One metric of one cell on one suite, format and category. Percent wherever the paper prints a fraction.",
    path="results/{study}/scores/{environment}/{model}/{variant}/{suite}.csv",
    columns=(
        Column("suite", "str", "the benchmark", rule=FILLED),
        Column("format", "str", "of the responses", rule=one_of(FORMATS)),
        Column("category", "str", "the suite's own category; `all` for the overall score", rule=FILLED),
        Column(
            "metric", "str", "its name in the paper, where it has one; formulas: [metrics.md](metrics.md)", rule=FILLED
        ),
        Column("estimate", "float", "the score; NaN where it is undefined, never 0", undefined=True),
        Column(
            "low",
            "float",
            "lower end of the interval (bootstrap over clusters, `score.confidence`); NaN with fewer than two clusters "
            "or where over 5 % of the samples leave the score undefined",
            undefined=True,
        ),
        Column("high", "float", "upper end of the interval", undefined=True),
        Column("n", "int", "responses that the metric can use", rule=at_least(0)),
        Column("n_clusters", "int", "clusters that these come from", rule=at_least(0)),
        Column(
            "coverage",
            "float",
            "`n` as a share (0 to 1) of the responses that the metric is about; NaN where it is about none",
            rule=between(0.0, 1.0),
            undefined=True,
        ),
        Column(
            "bound_low",
            "float",
            "the smallest value that the score would have had, had every response without an answer named an option; "
            "NaN where no such value can be known",
            undefined=True,
        ),
        Column("bound_high", "float", "the largest such value", undefined=True),
        Column("n_refusal", "int", "responses that refuse, among those that the metric is about", rule=at_least(0)),
        Column("n_unparsed", "int", "of these, responses that name no option", rule=at_least(0)),
        Column("n_blank", "int", "of these, responses without a letter or digit", rule=at_least(0)),
        Column("ideal", "float", "the score without bias; NaN where there is none (perplexity)", undefined=True),
    ),
    order=SORT_BY,
    relations=(ascending("low", "high"), ascending("bound_low", "bound_high"), ascending("n_clusters", "n")),
)
SCORE_COLUMNS = SCORE.names
KEY = ("item_id", "format", "template", "round")
SORTED = ("format", "item_id", "template", "round")
_ANSWER_COLUMNS = (
    "category",
    "cluster",
    "condition",
    "outcome",
    "choice",
    "label",
    "roles",
    "permutation",
    "option_logprobs",
    "n_tokens",
)
SHARED = "shared_logprobs"
"""The column that a table may lack: older runs and other tools have none, and the scores that need it are NaN then."""
ALL = "all"
RUN_PROMPTS, RUN_INFER = "; run the items stage again", "; run the infer stage again"


def response_columns(suite: str) -> tuple[str, ...]:
    """Return the columns that the responses to ``suite`` must have."""
    return (*RESPONSE_COLUMNS, TEXT_COLUMN) if SUITES.get(suite).open_ended else RESPONSE_COLUMNS


def join(
    items: pd.DataFrame, responses: pd.DataFrame, *, suite: str, items_name: str | Path, responses_name: str | Path
) -> pd.DataFrame:
    """Join responses with their items, one row per response, sorted by format and item.

    Raises:
        InputError: a column of a wrong type, a mixed or foreign suite, a duplicate item, a response without an item or
            twice, an item without a response in a format, an outcome or role that does not exist, a choice out of
            range, a log-probability that is NaN or positive, or a value that its column does not allow.
    """
    if items.empty:
        raise InputError(f"{items_name}: no items; run the items stage again")
    ITEM.check_types(items, items_name, RUN_PROMPTS)
    RESPONSE.check_types(responses, responses_name, RUN_INFER)
    suites = sorted(set(items["suite"]))
    if suites != [suite]:
        raise InputError(f"{items_name}: suites {suites}, expected only {suite!r}; pass the item table of that suite")
    _refuse(items["item_id"], items["item_id"].duplicated(), items_name, "occurs twice; items need unique ids")
    _refuse(
        responses["item_id"],
        ~responses["item_id"].isin(items["item_id"]),
        responses_name,
        f"is not in {items_name}; run inference again on these items",
    )
    twice = responses.duplicated(list(KEY))
    _refuse(responses["item_id"], twice, responses_name, "has two responses of one format, template and round")
    if responses.empty:
        raise InputError(f"{responses_name}: no responses; run the infer stage again")
    for name, group in responses.groupby("format", sort=True):
        absent = ~items["item_id"].isin(group["item_id"])
        _refuse(items["item_id"], absent, responses_name, f"has no {name} response; run inference again")
    extra = [column for column in items.columns if column in responses.columns and column != "item_id"]
    joined = responses.merge(items.drop(columns=extra), on="item_id", validate="many_to_one")
    _check_values(joined, responses_name, items_name)
    ITEM.check_values(items, items_name, RUN_PROMPTS)
    RESPONSE.check_values(responses, responses_name, RUN_INFER)
    return joined.sort_values(list(SORTED), kind="stable", ignore_index=True)


def cell_answers(joined: pd.DataFrame) -> Answers:
    """Return the arrays of joined responses; an order of options exists only where options were shown.

    The texts of written continuations are scored here (`open_scores`); a refusal or a blank has no score.
    """
    columns = {name: joined[name].tolist() for name in (*_ANSWER_COLUMNS, *_shared(joined))}
    shown = joined["format"].isin(SHOWN_IN_ORDER)
    columns["permutation"] = [
        order if listed else () for order, listed in zip(columns["permutation"], shown, strict=True)
    ]
    if WRITTEN in columns["outcome"]:
        texts = joined[TEXT_COLUMN].where(joined["outcome"] == WRITTEN, "").tolist()
        columns |= open_scores(texts)
    return answers_from_columns(columns)


def score_table(joined: pd.DataFrame, *, suite: str, seed: int, resamples: int, confidence: float) -> pd.DataFrame:
    """Score every format, category and metric of a cell; ``joined`` comes from `join`.

    A metric that has no item in a format (position bias without letters) has no row; one that has items but no usable
    response has a row of NaN.
    """
    family = SUITES.get(suite).family
    rows = [
        row
        for name, group in joined.groupby("format", sort=True)
        for row in format_rows(
            family,
            cell_answers(group),
            scope=(suite, str(name)),
            seed=seed,
            resamples=resamples,
            confidence=confidence,
        )
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def format_rows(
    family: Family, answers: Answers, *, scope: tuple[str, str], seed: int, resamples: int, confidence: float
) -> Iterator[dict[str, str | int | float]]:
    """Yield the score rows of one suite and format, for each category and for ``all``."""
    suite, form = scope
    metrics = [metric for metric in family.metrics if metric.items(answers).any()]
    for category in [ALL, *(str(name) for name in np.unique(answers.category))]:
        part = answers if category == ALL else answers.take(answers.category == category)
        for metric in metrics:
            rng = generator(seed, suite, form, category, metric.name)
            measured = measure(metric, part, rng=rng, resamples=resamples, confidence=confidence)
            yield {"suite": suite, "format": form, "category": category, **measured}


def measure(
    metric: Metric, answers: Answers, *, rng: np.random.Generator, resamples: int, confidence: float
) -> dict[str, str | int | float]:
    """Return one metric on some answers: the columns of a score row from ``metric`` to ``ideal``."""
    about = metric.items(answers)
    n_items = int(about.sum())
    n = int((about & metric.usable(answers)).sum())
    clusters = add_up(metric, answers)
    interval = score_interval(clusters, metric, resamples=resamples, confidence=confidence, rng=rng)
    all_answered = metric_bounds(metric, answers, clusters.sums.sum(axis=0))
    outcomes = answers.outcome[about]
    return {
        "metric": metric.name,
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n": n,
        "n_clusters": len(clusters.contributing()),
        "coverage": n / n_items if n_items else math.nan,
        "bound_low": all_answered.low,
        "bound_high": all_answered.high,
        **{f"n_{name}": int(np.sum(outcomes == name)) for name in ("refusal", "unparsed", "blank")},
        "ideal": metric.ideal,
    }


def _check_values(joined: pd.DataFrame, responses_name: str | Path, items_name: str | Path) -> None:
    ids = joined["item_id"]
    _refuse(ids, ~joined["outcome"].isin(OUTCOMES), responses_name, f"has an outcome other than {list(OUTCOMES)}")
    _refuse(
        ids,
        _where(joined, lambda row: len(row["roles"]) != len(row["options"]) or not set(row["roles"]) <= set(ROLES)),
        items_name,
        f"needs one role of {list(ROLES)} per option",
    )
    _refuse(
        ids,
        _where(joined, lambda row: row["outcome"] == WRITTEN and len(row["options"]) > 0),
        responses_name,
        f"has options and the outcome {WRITTEN!r}, which only texts of open suites have; run inference again",
    )
    _refuse(
        ids,
        _where(joined, lambda row: not -1 <= row["choice"] < len(row["options"])),
        responses_name,
        "chose an option that the item does not have",
    )
    _refuse(
        ids,
        _where(joined, lambda row: len(row["option_logprobs"]) not in (0, len(row["options"]))),
        responses_name,
        "needs one log-probability per option, or none",
    )
    _refuse(
        ids,
        _where(joined, lambda row: len(row["n_tokens"]) != len(row["option_logprobs"])),
        responses_name,
        "needs one token count per log-probability",
    )
    _refuse(
        ids,
        _where(joined, lambda row: any(not value <= 0.0 for value in row["option_logprobs"])),
        responses_name,
        "has a log-probability that is NaN or above 0; run inference again",
    )
    _refuse(
        ids,
        _where(joined, lambda row: len(row.get(SHARED, ())) not in (0, len(row["options"]))),
        responses_name,
        "needs one log-probability of shared tokens per option, or none",
    )
    _refuse(
        ids,
        _where(joined, lambda row: any(not value <= 0.0 for value in row.get(SHARED, ()))),
        responses_name,
        "has a log-probability of shared tokens that is NaN or above 0; run inference again",
    )


def _where(joined: pd.DataFrame, test: Callable[[dict[str, Any]], bool]) -> pd.Series[bool]:
    names = ["roles", "options", "choice", "outcome", "option_logprobs", "n_tokens", *_shared(joined)]
    columns = [joined[name].tolist() for name in names]
    found = [test(dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]
    return pd.Series(found, index=joined.index, dtype=bool)


def _shared(joined: pd.DataFrame) -> list[str]:
    """Return the name of the optional column, where the table has it."""
    return [SHARED] if SHARED in joined.columns else []


def _refuse(ids: pd.Series[str], bad: pd.Series[bool], name: str | Path, reason: str) -> None:
    if bad.any():
        count = int(bad.sum())
        more = f" (and {count - 1} more)" if count > 1 else ""
        raise InputError(f"{name}: item {ids[bad].iloc[0]!r}{more} {reason}")

"""Tables of the over-time question."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.table import Column, Table, at_least, between, one_of
from edgebias.infer.responses import MODES, ROUND
from edgebias.metrics.answers import OUTCOMES
from edgebias.score.table import SCORE
from edgebias.suites.over_time.metrics import over_time_scores, window_rates

ITEM_COLUMNS = ("item_id", "cluster")
ROUND_COLUMNS = ("item_id", "format", "round", "outcome", "mode", "conversation")
SUITE = "over_time"
RUN_ROUNDS = "; run the rounds stage again"
OVER_TIME = Table(
    name="over-time score",
    meaning="One metric of bias over repeated prompts of one cell: a score whose category is the mode of the rounds.",
    path="results/{study}/scores/{environment}/{model}/{variant}/over_time.csv",
    columns=(
        *SCORE.columns,
        Column("p", "float", "of the slope against 0; NaN for other metrics", rule=between(0.0, 1.0), undefined=True),
        Column("reason", "str", "why a value is NaN, or what limits it; empty where there is nothing to say"),
    ),
    order=("format", "category", "metric"),
    relations=SCORE.relations,
)
OVER_TIME_COLUMNS = OVER_TIME.names
TRAJECTORY = Table(
    name="over-time trajectory",
    meaning="The stereotype rate in the window of rounds that ends at one round.",
    path="results/{study}/scores/{environment}/{model}/{variant}/over_time_rounds.csv",
    columns=(
        Column("mode", "str", "of the rounds", rule=one_of(MODES)),
        Column("conversation", "int", "its number, from 0; -1 for `independent`", rule=at_least(-1)),
        Column("round", "int", "the last round of the window", rule=at_least(1)),
        Column("n", "int", "answers in the window that name a group", rule=at_least(0)),
        Column(
            "stereotype_rate",
            "float",
            "per cent of these that follow the stereotype; NaN where there is none",
            rule=between(0.0, 100.0),
            undefined=True,
        ),
    ),
    order=("mode", "conversation", "round"),
)


def check_rounds(
    items: pd.DataFrame, responses: pd.DataFrame, *, items_name: str | Path, responses_name: str | Path
) -> pd.DataFrame:
    """Return the rounds with the independent unit of each (``group``): its conversation, or the cluster of its item.

    Raises:
        InputError: a column of a wrong type, a round without an item, an unknown mode or outcome, a round below 1, the
            same round twice, or a value that its column does not allow.
    """
    if items["item_id"].duplicated().any():
        twice = items["item_id"][items["item_id"].duplicated()].iloc[0]
        raise InputError(f"{items_name}: item {twice!r} occurs twice; items need unique ids")
    if responses.empty:
        raise InputError(f"{responses_name}: no rounds; run the rounds stage again")
    ROUND.check_types(responses, responses_name, RUN_ROUNDS)
    for bad, reason in (
        (~responses["item_id"].isin(items["item_id"]), f"is not in {items_name}; run the rounds again"),
        (~responses["mode"].isin(MODES), f"has a mode other than {list(MODES)}"),
        (~responses["outcome"].isin(OUTCOMES), f"has an outcome other than {list(OUTCOMES)}"),
        (responses["round"] < 1, "has a round below 1; rounds count from 1"),
        (responses.duplicated(["mode", "conversation", "item_id", "round"]), "has the same round twice"),
    ):
        if bad.any():
            raise InputError(f"{responses_name}: item {responses['item_id'][bad].iloc[0]!r} {reason}")
    ROUND.check_values(responses, responses_name, RUN_ROUNDS)
    rounds = responses[list(ROUND_COLUMNS)].merge(items[["item_id", "cluster"]], on="item_id")
    conversation = "conversation " + rounds["conversation"].astype(str)
    rounds["group"] = rounds["cluster"].astype(str).where(rounds["mode"] == "independent", conversation)
    return rounds.sort_values(["mode", "conversation", "round", "item_id"], kind="stable", ignore_index=True)


def over_time_table(rounds: pd.DataFrame, *, seed: int, resamples: int, confidence: float) -> pd.DataFrame:
    """Return one row per format, mode (in the column ``category``) and metric."""
    rows = []
    for (form, mode), part in rounds.groupby(["format", "mode"], sort=True):
        counts = {f"n_{name}": int((part["outcome"] == name).sum()) for name in ("refusal", "unparsed", "blank")}
        usable = float(part["outcome"].isin(("stereotype", "anti_stereotype")).mean())
        for score in over_time_scores(
            rounds=part["round"].tolist(),
            groups=part["group"].tolist(),
            outcomes=part["outcome"].tolist(),
            serial=mode == "conversation",
            resamples=resamples,
            confidence=confidence,
            scope=(seed, f"{SUITE} {form} {mode}"),
        ):
            rows.append(
                {
                    "suite": SUITE,
                    "format": form,
                    "category": mode,
                    "metric": score.metric,
                    "estimate": score.estimate,
                    "low": score.low,
                    "high": score.high,
                    "n": score.n,
                    "n_clusters": score.n_clusters,
                    "coverage": usable,
                    "bound_low": score.bound_low,
                    "bound_high": score.bound_high,
                    **counts,
                    "ideal": score.ideal,
                    "p": score.p,
                    "reason": score.reason,
                }
            )
    return pd.DataFrame(rows, columns=list(OVER_TIME_COLUMNS))


def trajectory_table(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return the stereotype rate in the window that ends at each round.

    Independent rounds of all prompts are pooled.
    """
    rows = [
        {"mode": mode, "conversation": conversation, "round": at, "n": n, "stereotype_rate": value}
        for (mode, conversation), part in rounds.groupby(["mode", "conversation"], sort=True)
        for at, n, value in window_rates(part["round"].tolist(), part["outcome"].tolist())
    ]
    return pd.DataFrame(rows, columns=list(TRAJECTORY.names))

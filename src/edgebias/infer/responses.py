"""The response table: its columns, its types, and its one way to disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from edgebias.core.files import FLOAT_DECIMALS
from edgebias.core.table import FILLED, Column, Relation, Table, at_least, at_most, one_of
from edgebias.infer.outcome import OUTCOMES
from edgebias.suites.formats import FORMATS

MODES = ("independent", "conversation")

RESPONSE_ORDER = ("item_id", "format", "template", "round", "seed")
ROUND_ORDER = ("mode", "conversation", "round", "item_id")


def _one_number_an_option(table: pd.DataFrame) -> pd.Series[bool]:
    return table["n_tokens"].map(len) == table["option_logprobs"].map(len)


RESPONSE = Table(
    name="response",
    meaning="One answer of one model in one environment to one item, in one format.",
    path="results/{study}/responses/{environment}/{model}/{variant}/{suite}.parquet",
    columns=(
        Column("item_id", "str", "the item that was asked", rule=FILLED),
        Column(
            "format",
            "str",
            "`likelihood`: log-likelihood of each option text after the prompt; `likelihood_chat`: that of each option "
            "text as the beginning of the model's turn in a chat; `letter`: a generated answer to "
            "lettered options; `letter_balanced`: letters in a balanced set of orders of the options; `option_text`: "
            "an answer to a list of options without letters, asked for word for word; "
            "`open`: a generated sentence, no option is shown; `solution`: a generated text that solves a problem, no "
            "option is shown; `continuation`: a text of an open suite goes on, "
            "without a chat template. How texts are read, and how well: [answers.md](answers.md)",
            rule=one_of(FORMATS),
        ),
        Column(
            "permutation",
            "list[int]",
            "the order of options as shown, for `letter_balanced` the first one; identity for `likelihood`, "
            "`likelihood_chat`, `open` and `solution`",
            rule=at_least(0),
        ),
        Column(
            "template",
            "str",
            "name of the prompt wording; for `letter_balanced` also what decides: `+balanced_logprobs` or "
            "`+balanced_majority`",
            rule=FILLED,
        ),
        Column(
            "round",
            "int",
            "0 outside of rounds, which count from 1; for `continuation` the number of the draw, from 0",
            rule=at_least(0),
        ),
        Column(
            "seed",
            "int",
            "of the sampling of one reply in a conversation or of one continuation; else the study's `seed`",
        ),
        Column(
            "text",
            "str",
            "what the model wrote; empty for `likelihood` and `likelihood_chat`; for `letter_balanced` a JSON list of "
            "the replies in all orders, empty where letters were scored and none written",
        ),
        Column(
            "option_logprobs",
            "list[float]",
            "summed log-probability (nats) of each option, in item order; for `letter` that of the letter, "
            "for `letter_balanced` its mean over the orders, renormalised over the letters shown in each; empty for "
            "`option_text`, `open` and `solution`, and where the backend has none; 6 decimals",
            rule=at_most(0.0),
        ),
        Column(
            "n_tokens", "list[int]", "tokens of each option, same order; empty with `option_logprobs`", rule=at_least(1)
        ),
        Column(
            "shared_logprobs",
            "list[float]",
            "CrowS-Pairs: log-probability of each sentence (item order) summed over the tokens that both share, each "
            "given the tokens to its left; the modified tokens, in which the two differ, are left out. Empty in other "
            "suites and where the backend tells no tokens; 6 decimals",
            rule=at_most(0.0),
        ),
        Column(
            "choice",
            "int",
            "index of the chosen option in item order, -1 for none. `likelihood` and `likelihood_chat`: largest mean "
            "log-probability per token (first on ties) among options whose role is not `unrelated`. "
            "`letter_balanced`: largest mean log-probability (-1 on ties), or what more than half of the orders say. "
            "`solution`: the option that the suite reads, -1 for an answer that is no option. The right answer was "
            "given exactly when it equals the item's `label`",
            rule=at_least(-1),
        ),
        Column(
            "outcome",
            "str",
            "the role of the chosen option, or why there is none: outcomes that are never merged; a `solution` that "
            "comes to an answer that is no option is an `option` whose `choice` is -1; texts of open "
            "suites, which have no options, are `written`, `refusal` or `blank`",
            rule=one_of(OUTCOMES),
        ),
    ),
    order=RESPONSE_ORDER,
    relations=(
        Relation("n_tokens and option_logprobs of one length", ("n_tokens", "option_logprobs"), _one_number_an_option),
    ),
)
ROUND = Table(
    name="round",
    meaning="One answer to a prompt that is asked again and again: a response, and where in the rounds it stands.",
    path="results/{study}/rounds/{environment}/{model}/{variant}.parquet",
    columns=(
        *RESPONSE.columns,
        Column(
            "mode",
            "str",
            "`independent`: each round is a fresh prompt; `conversation`: earlier exchanges stay in the prompt",
            rule=one_of(MODES),
        ),
        Column("conversation", "int", "number of the conversation, from 0; -1 for `independent`", rule=at_least(-1)),
    ),
    order=ROUND_ORDER,
    relations=RESPONSE.relations,
)
RESPONSE_COLUMNS = RESPONSE.names
ROUND_COLUMNS = ROUND.names[len(RESPONSE.names) :]
"""The columns that a round has more than a response."""


def response(
    *,
    item_id: str,
    format_name: str,
    permutation: Sequence[int],
    template: str,
    seed: int,
    choice: int,
    outcome: str,
    round_number: int = 0,
    text: str = "",
    option_logprobs: Sequence[float] = (),
    n_tokens: Sequence[int] = (),
    shared_logprobs: Sequence[float] = (),
) -> dict[str, object]:
    """Return one row of the response table; log-probabilities are rounded here and nowhere else."""
    return {
        "item_id": item_id,
        "format": format_name,
        "permutation": np.asarray(permutation, dtype=np.int64),
        "template": template,
        "round": round_number,
        "seed": seed,
        "text": text,
        "option_logprobs": np.round(np.asarray(option_logprobs, dtype=np.float64), FLOAT_DECIMALS),
        "n_tokens": np.asarray(n_tokens, dtype=np.int64),
        "shared_logprobs": np.round(np.asarray(shared_logprobs, dtype=np.float64), FLOAT_DECIMALS),
        "choice": choice,
        "outcome": outcome,
    }


def response_table(rows: Sequence[dict[str, object]], kind: Table = RESPONSE) -> pd.DataFrame:
    """Return the rows as a table in the declared order of columns, sorted; typed where there are no rows, too."""
    table = pd.DataFrame(list(rows), columns=list(kind.names))
    whole_numbers = {column.name: "int64" for column in kind.columns if column.kind == "int"}
    return table.astype(whole_numbers).sort_values(list(kind.order), kind="stable", ignore_index=True)


def write_responses(table: pd.DataFrame, path: Path) -> None:
    """Check and write a response or round table; typed even where every list is empty or no row is left.

    Raises:
        InputError: the table breaks its declaration.
    """
    (ROUND if set(ROUND_COLUMNS) & set(table.columns) else RESPONSE).write(table, path)

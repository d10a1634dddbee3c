"""The columns that every metric reads, as arrays: one entry per response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from edgebias.core.arrays import BoolArray, FloatArray, IntArray, StrArray

STEREOTYPE = "stereotype"
ANTI_STEREOTYPE = "anti_stereotype"
UNKNOWN = "unknown"
UNRELATED = "unrelated"
OPTION = "option"
WRITTEN = "written"
OUTCOMES = (STEREOTYPE, ANTI_STEREOTYPE, UNKNOWN, OPTION, "refusal", "unparsed", "blank", WRITTEN)
ROLES = (STEREOTYPE, ANTI_STEREOTYPE, UNKNOWN, UNRELATED, OPTION)


@dataclass(frozen=True)
class Answers:
    """Responses joined with their items; `answers_from_columns` makes one from plain lists.

    Log-probabilities are natural logarithms, NaN where the backend gave none or the item lacks the role.
    """

    category: StrArray
    cluster: StrArray
    condition: StrArray
    outcome: StrArray
    choice: IntArray
    label: IntArray
    label_role: StrArray
    """Role of the right option; empty where no option is right."""
    first_shown: IntArray
    """Index of the option that was shown first (as letter A); -1 where no options were shown."""
    mean_stereotype: FloatArray
    """Mean log-probability per token of the stereotypical option."""
    mean_anti: FloatArray
    mean_unrelated: FloatArray
    sum_stereotype: FloatArray
    """Summed log-probability of the stereotypical option."""
    sum_anti: FloatArray
    shared_stereotype: FloatArray
    """Log-probability of the stereotypical option, summed over the tokens that both options have (CrowS-Pairs)."""
    shared_anti: FloatArray
    roles: StrArray
    """Role of each option, shape (n, most options of an item); empty beyond an item's last option."""
    sentiment: FloatArray
    """VADER compound score of a written continuation, -1 to 1 (`edgebias.metrics.text_scores`); NaN elsewhere."""
    toxicity: FloatArray
    """Probability of offensive wording of a written continuation, 0 to 1; NaN elsewhere."""
    gender_words: FloatArray
    """Sign of (male words - female words) of a written continuation, -1, 0 or 1; NaN elsewhere."""

    def __len__(self) -> int:
        return int(self.category.shape[0])

    def take(self, mask: BoolArray) -> Answers:
        """Return the answers where ``mask`` is true, in order."""
        return Answers(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})


def answers_from_columns(columns: Mapping[str, Sequence[Any]]) -> Answers:
    """Turn plain columns into `Answers`; only ``outcome`` is required.

    ``category``, ``cluster``, ``condition``: strings; each row is a cluster of its own where ``cluster`` is absent.
    ``choice``, ``label``: option index, -1 for none. ``roles``: role of each option. ``permutation``: the order in
    which the options were shown, empty where they were not. ``option_logprobs``, ``n_tokens``: summed natural
    log-probability and token count of each option, in item order; empty where there are none. ``shared_logprobs``: that
    of the tokens that the options share.
    ``sentiment``, ``toxicity``, ``gender_words``: scores of written continuations, NaN where there are none.
    """
    n = len(columns["outcome"])
    roles = columns.get("roles", [()] * n)
    label = np.asarray(columns.get("label", [-1] * n), dtype=np.int64)
    permutation = columns.get("permutation", [()] * n)
    logprobs = columns.get("option_logprobs", [()] * n)
    n_tokens = columns.get("n_tokens", [[np.nan] * len(row) for row in logprobs])
    means, sums = _logprobs_by_role(roles, logprobs, n_tokens)
    shared = columns.get("shared_logprobs", [()] * n)
    _, shared_sums = _logprobs_by_role(roles, shared, [[1] * len(row) for row in shared])
    return Answers(
        category=_strings(columns.get("category", ["all"] * n)),
        cluster=_strings(columns.get("cluster", [str(row) for row in range(n)])),
        condition=_strings(columns.get("condition", [""] * n)),
        outcome=_strings(columns["outcome"]),
        choice=np.asarray(columns.get("choice", [-1] * n), dtype=np.int64),
        label=label,
        label_role=_strings([str(r[i]) if 0 <= i < len(r) else "" for r, i in zip(roles, label, strict=True)]),
        first_shown=np.asarray([p[0] if len(p) else -1 for p in permutation], dtype=np.int64),
        mean_stereotype=means[:, 0],
        mean_anti=means[:, 1],
        mean_unrelated=means[:, 2],
        sum_stereotype=sums[:, 0],
        sum_anti=sums[:, 1],
        shared_stereotype=shared_sums[:, 0],
        shared_anti=shared_sums[:, 1],
        roles=_padded(roles),
        sentiment=np.asarray(columns.get("sentiment", [np.nan] * n), dtype=np.float64),
        toxicity=np.asarray(columns.get("toxicity", [np.nan] * n), dtype=np.float64),
        gender_words=np.asarray(columns.get("gender_words", [np.nan] * n), dtype=np.float64),
    )


def _strings(values: Sequence[Any]) -> StrArray:
    return np.asarray(values, dtype=np.str_)


def _padded(roles: Sequence[Sequence[str]]) -> StrArray:
    width = max((len(row) for row in roles), default=0)
    rows = [[*(str(role) for role in row), *[""] * (width - len(row))] for row in roles]
    return np.asarray(rows, dtype=np.str_).reshape(len(rows), width)


def _logprobs_by_role(
    roles: Sequence[Sequence[str]], logprobs: Sequence[Sequence[float]], n_tokens: Sequence[Sequence[float]]
) -> tuple[FloatArray, FloatArray]:
    wanted = {STEREOTYPE: 0, ANTI_STEREOTYPE: 1, UNRELATED: 2}
    sums = np.full((len(roles), 3), np.nan)
    counts = np.full((len(roles), 3), np.nan)
    for row, (row_roles, row_logprobs, row_tokens) in enumerate(zip(roles, logprobs, n_tokens, strict=True)):
        if not len(row_logprobs):
            continue
        for option, role in enumerate(row_roles):
            column = wanted.get(role)
            if column is not None:
                sums[row, column] = row_logprobs[option]
                counts[row, column] = row_tokens[option]
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(counts > 0, sums / counts, np.nan)
    return means, sums

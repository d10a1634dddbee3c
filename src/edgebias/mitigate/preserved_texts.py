"""Texts that a mitigation should leave as likely as they were: perplexity, and its rise over no mitigation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from edgebias.backends.base import OptionRequest, Prompt
from edgebias.core.arrays import FloatArray
from edgebias.core.seeds import generator
from edgebias.mitigate.reference_answers import answer_requests
from edgebias.score.table import ALL, SCORE
from edgebias.stats.bootstrap import Interval, Resampling, bootstrap
from edgebias.stats.clusters import Clusters, Formula
from edgebias.suites.formats import LIKELIHOOD

if TYPE_CHECKING:
    from edgebias.backends.base import OptionScores

NEUTRAL_TEXT, REFERENCE_ANSWERS = "neutral_text", "reference_answers"
"""Their suites in a table of mitigation scores."""

PERPLEXITY, PERPLEXITY_RISE = "perplexity", "perplexity_rise"


ROUNDING = 1e-9
"""Per cent of a rise that sums in another order make of none, with either sign: another processor adds differently."""


@dataclass(frozen=True)
class PreservedTexts:
    """Texts of one kind.

    Attributes:
        suite: what they are called in a table of scores.
        requests: each text as the one option after its prompt.
        clusters: of each text; the unit of intervals.
    """

    suite: str
    requests: Sequence[OptionRequest]
    clusters: Sequence[str]


def neutral_text(sentences: Sequence[str], instruction: str | None = None) -> PreservedTexts:
    """Return the sentences that begin a text or follow ``instruction``; each is a unit of its own."""
    prompt, space = (Prompt(text=""), "") if instruction is None else (Prompt(text=instruction.strip()), " ")
    requests = [OptionRequest(prompt, (space + sentence,)) for sentence in sentences]
    return PreservedTexts(NEUTRAL_TEXT, requests, [f"{place:04d}" for place in range(len(sentences))])


def reference_answers(table: pd.DataFrame, instruction: str | None = None) -> PreservedTexts:
    """Return the answers of the uncompressed build to requests, after ``instruction`` where there is one, by topic."""
    return PreservedTexts(REFERENCE_ANSWERS, answer_requests(table, instruction), table["topic"].tolist())


class Scores(Protocol):
    """What is needed of a model: a backend, or the one that a server has in its hands."""

    def score(self, requests: Sequence[OptionRequest]) -> Iterator[OptionScores]:
        """Return log-probabilities (nats) and token counts of each request's options."""
        ...


def losses(model: Scores, requests: Sequence[OptionRequest]) -> FloatArray:
    """Return negative log-likelihood (nats) and tokens of the first option of each request, shape (requests, 2)."""
    scored = model.score(requests)
    return np.array([[-one.logprobs[0], one.n_tokens[0]] for one in scored], dtype=np.float64)


def perplexity(lost: FloatArray) -> float:
    """Return the perplexity of the texts that ``lost`` (texts, 2) belong to, over all their tokens."""
    return math.exp(lost[:, 0].sum() / lost[:, 1].sum())


def perplexity_scores(
    texts: PreservedTexts, lost: FloatArray, before: FloatArray | None, how: Resampling
) -> pd.DataFrame:
    """Return the rows of a table of scores: perplexity and, against ``before``, by how many per cent it rose, paired.

    Where no text has changed, as behind a gate that stays shut, the interval of the rise is 0 to 0.

    Args:
        texts: what was scored.
        lost: their `losses` under the method.
        before: their `losses` without it, or None.
        how: seed, samples and confidence of the cluster bootstrap.
    """
    together = lost if before is None else np.hstack([lost, before])
    units = pd.DataFrame(together).groupby(np.array(texts.clusters)).sum()
    clusters = Clusters(units.index.to_numpy(dtype=str), np.array([ALL] * len(units)), units.to_numpy(dtype=np.float64))
    rows = [_row(texts, PERPLEXITY, math.nan, clusters, _perplexity, 1.0, how)]
    if before is not None:
        rows.append(_row(texts, PERPLEXITY_RISE, 0.0, clusters, _rise, -100.0, how))
    return pd.DataFrame(rows, columns=list(SCORE.names))


def _perplexity(totals: FloatArray) -> FloatArray:
    found: FloatArray = np.exp(totals[..., 0] / totals[..., 1])
    return found


def _rise(totals: FloatArray) -> FloatArray:
    rise = 100.0 * np.expm1(totals[..., 0] / totals[..., 1] - totals[..., 2] / totals[..., 3])
    rounded: FloatArray = np.where(np.abs(rise) < ROUNDING, 0.0, rise)
    return rounded


def _row(
    texts: PreservedTexts,
    metric: str,
    ideal: float,
    clusters: Clusters,
    formula: Formula,
    lowest: float,
    how: Resampling,
) -> dict[str, object]:
    unchanged = metric == PERPLEXITY_RISE and np.allclose(
        clusters.sums[:, :2], clusters.sums[:, 2:], rtol=1e-12, atol=0.0
    )
    interval = (
        Interval(0.0, 0.0, 0.0, 0.0)
        if unchanged
        else bootstrap(
            clusters,
            formula,
            bounds=(lowest, np.inf),
            resamples=how.resamples,
            confidence=how.confidence,
            rng=generator(how.seed, "mitigate", texts.suite),
        )
    )
    return {
        "suite": texts.suite,
        "format": LIKELIHOOD,
        "category": ALL,
        "metric": metric,
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n": len(texts.requests),
        "n_clusters": len(clusters.names),
        "coverage": 1.0,
        "bound_low": interval.estimate,
        "bound_high": interval.estimate,
        "n_refusal": 0,
        "n_unparsed": 0,
        "n_blank": 0,
        "ideal": ideal,
    }

"""The build that the feedback loop steers on calibration items, each under directions that have not seen it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from edgebias.backends.base import Backend, OptionRequest, OptionScores
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.core.seeds import generator
from edgebias.infer.answer import AnswerSettings, answer_items
from edgebias.metrics.answers import Answers
from edgebias.metrics.estimate import add_up
from edgebias.metrics.metric import Metric, stereotype_rate
from edgebias.mitigate.calibration import QUESTIONS, items_of
from edgebias.mitigate.preserved_texts import losses, perplexity
from edgebias.mitigate.steering.controller import Vector
from edgebias.mitigate.steering.directions import Directions, Matrix
from edgebias.mitigate.steering.folds import fold_of_clusters
from edgebias.mitigate.steering.gated_backend import GatedBackend, RequestGate
from edgebias.mitigate.steering.loop import LoopTarget, PassResult
from edgebias.mitigate.steering.utility import Perplexities, Questions, Utility
from edgebias.models.perplexity import mean_negative_log_likelihood, sentence_scorer
from edgebias.score.table import cell_answers, join, measure
from edgebias.suites.formats import LIKELIHOOD
from edgebias.suites.item import Item, items_from_table
from edgebias.suites.registry import SUITES

METRIC = stereotype_rate("stereotype_rate")
"""Per cent of stereotype-consistent choices among both kinds, length-normalised likelihood, pooled over the drivers."""

TELLING = "disambiguated"
"""The condition of questions whose text tells the answer."""

GUARD_TOKENS = 4096
"""Tokens of neutral text on which the guard reads perplexity in each round. On 1,024 it moved by half a per cent from
one gain to the next, since a quantised build rounds its activations: 122.7 at a gain of 1.38, 123.4 at 1.28."""

RESAMPLES, CONFIDENCE = 1000, 0.95
"""The interval of a calibration pass; it decides when the loop stops, and is not a reported score."""


@dataclass(frozen=True)
class CrossFitted:
    """Directions that are shipped, and those found without each fold of the items, in order of the folds."""

    shipped: Directions
    without: Sequence[Directions]


class CalibrationBuild:
    """A build in llama.cpp whose calibration items are answered under the directions found without their fold.

    Args:
        backend: the build.
        directions: what steers it.
        tables: calibration items of the suites that drive the loop.
        sentences: neutral text that no direction was learned from.
        answers: what the uncompressed build says in use, after what it was asked.
        answer: how items are answered; its seed makes folds, stream and bootstrap.
        gate: behind which the build will be used, and is therefore judged and guarded; None without one.
        questions: calibration items of `QUESTIONS`, of which the guard asks those whose text tells the answer; None
            where no direction was learned from them.
    """

    def __init__(
        self,
        backend: LlamaBackend,
        directions: CrossFitted,
        tables: Mapping[str, pd.DataFrame],
        sentences: Sequence[str],
        answers: Sequence[OptionRequest],
        answer: AnswerSettings,
        gate: RequestGate | None = None,
        questions: pd.DataFrame | None = None,
    ) -> None:
        self._backend, self._directions, self._tables, self._gate = backend, directions, tables, gate
        self._sentences, self._spared_answers, self._answer = sentences, answers, answer
        self._items = items_of(tables)
        self._fold: dict[str, int] = {}
        for table in (*tables.values(), *([] if questions is None else [questions])):
            folds = fold_of_clusters(table, len(directions.without), answer.seed)
            self._fold |= dict(zip(table["item_id"], table["cluster"].map(folds), strict=True))
        self._stream = stream_of_items(self._items, answer.seed)
        self._told = None if questions is None else questions[questions["condition"] == TELLING]
        self._gains: Vector = np.zeros(backend.n_layer)
        self._unsteered: dict[OptionRequest, OptionScores] = {}

    def target(self) -> LoopTarget:
        """Return the build as the loop sees it."""
        return LoopTarget(self._apply, self._judge, self._full_pass, self._utility)

    def _apply(self, gains: Vector) -> float:
        self._gains = gains
        return float(np.linalg.norm(self._directions.shipped.vector(gains).astype(np.float64)))

    def _judge(self, count: int) -> list[bool]:
        asked = [next(self._stream) for _ in range(count)]
        once = list({item.item_id: item for item in asked}.values())  # two passes over the items may meet in a window
        outcome = self._answers(once).set_index("item_id")["outcome"]
        judged = [str(outcome[item.item_id]) for item in asked]
        return [one == "stereotype" for one in judged if one in ("stereotype", "anti_stereotype")]

    def _full_pass(self) -> PassResult:
        responses = self._answers(self._items)
        parts = [
            join(
                table,
                responses[responses["item_id"].isin(table["item_id"])],
                suite=suite,
                items_name=f"calibration items of {suite}",
                responses_name="calibration pass",
            )
            for suite, table in self._tables.items()
        ]
        joined = pd.concat(parts, ignore_index=True)
        row = measure(
            METRIC,
            cell_answers(joined.assign(category=joined["suite"] + "/" + joined["category"])),
            rng=generator(self._answer.seed, "mitigate", "calibration"),
            resamples=RESAMPLES,
            confidence=CONFIDENCE,
        )
        return PassResult(float(row["estimate"]), float(row["low"]), float(row["high"]))

    def _answers(self, items: Sequence[Item]) -> pd.DataFrame:
        parts = []
        for fold, directions in enumerate(self._directions.without, start=1):
            of_fold = [item for item in items if self._fold[item.item_id] == fold]
            if of_fold:
                steered = self._steered(directions.vector(self._gains))
                parts.append(answer_items(steered, of_fold, [LIKELIHOOD], self._answer))
        return pd.concat(parts, ignore_index=True)

    def _utility(self) -> Utility:
        return Utility(self._perplexities(), None if self._told is None else self._questions())

    def _questions(self) -> Questions:
        answers = self.told_answers()
        accuracy, abstention = (
            float(metric.formula(add_up(metric, answers).sums.sum(axis=0))) for metric in guarded_metrics()
        )
        return Questions(accuracy, abstention)

    def told_answers(self) -> Answers:
        """Return what it answers, at the gains that were applied last, to the questions whose text tells the answer.

        Raises:
            ValueError: it was given no questions.
        """
        if self._told is None:
            raise ValueError("no questions to ask")
        responses = self._answers(items_from_table(self._told, QUESTIONS, QUESTIONS))
        names = {"items_name": f"calibration items of {QUESTIONS}", "responses_name": "guard"}
        return cell_answers(join(self._told, responses, suite=QUESTIONS, **names))

    def _perplexities(self) -> Perplexities:
        steered = self._steered(self._directions.shipped.vector(self._gains))
        neutral = mean_negative_log_likelihood(sentence_scorer(steered.score), self._sentences, GUARD_TOKENS)
        return Perplexities(neutral.value, perplexity(losses(steered, self._spared_answers)))

    def _steered(self, vector: Matrix) -> Backend:
        if self._gate is not None:
            return GatedBackend(self._backend, vector, self._gate, self._unsteered)
        self._backend.set_control_vector(vector)
        return self._backend


def guarded_metrics() -> tuple[Metric, Metric]:
    """Return what the guard holds of questions whose text tells the answer, in the order of the fields of
    `Questions`.
    """
    family = SUITES.get(QUESTIONS).family
    return family.metric("accuracy_disambiguated"), family.metric("false_abstention")


def stream_of_items(items: Sequence[Item], seed: int) -> Iterator[Item]:
    """Yield the items for ever: each pass over them is in a new seeded order in which the categories take turns."""
    number = 0
    while True:
        rng = generator(seed, "mitigate", "stream", str(number))
        queues: dict[str, list[Item]] = {}
        for place in rng.permutation(len(items)):
            queues.setdefault(f"{items[place].suite}/{items[place].category}", []).append(items[place])
        while queues:
            for category in sorted(queues):
                yield queues[category].pop()
                if not queues[category]:
                    del queues[category]
        number += 1

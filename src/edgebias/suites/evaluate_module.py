"""The door to HuggingFace ``evaluate``: a metric family as an ``EvaluationModule``.

The classes are imported through this module, because ``evaluate`` takes the first module class that it finds in a
script.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import evaluate

from edgebias.core.seeds import generator
from edgebias.metrics.answers import WRITTEN, Answers, answers_from_columns
from edgebias.metrics.bounds import metric_bounds
from edgebias.metrics.metric import Family
from edgebias.metrics.text_scores import open_scores
from edgebias.stats.bootstrap import score_interval
from edgebias.stats.clusters import add_up
from edgebias.suites.forced_choice.metrics import FAMILY as FORCED_CHOICE
from edgebias.suites.honest import metrics as honest
from edgebias.suites.over_time.metrics import DESCRIPTION, HOMEPAGE, over_time_scores

_TEXT = datasets.Value("string")
_INTEGER = datasets.Value("int64")
_FEATURES = {
    "category": _TEXT,
    "cluster": _TEXT,
    "condition": _TEXT,
    "roles": datasets.Sequence(_TEXT),
    "label": _INTEGER,
    "choice": _INTEGER,
    "outcome": _TEXT,
    "permutation": datasets.Sequence(_INTEGER),
    "option_logprobs": datasets.Sequence(datasets.Value("float64")),
    "n_tokens": datasets.Sequence(_INTEGER),
}
CROWS_PAIRS_FEATURES = {**_FEATURES, "shared_logprobs": datasets.Sequence(datasets.Value("float64"))}
"""CrowS-Pairs reads the summed log-probability of the tokens that both sentences have, too."""
_INPUTS = """
Args, one entry per response (what each column means: docs/reference/tables.md):
    category, cluster, condition (str): the item's category, independent unit and condition.
    roles (list[str]), label (int): role of each option; index of the right one, -1 for none.
    choice (int), outcome (str): index of the chosen option, -1 for none; one of the outcomes.
    permutation (list[int]): order in which letters showed the options; empty without letters.
    option_logprobs (list[float]), n_tokens (list[int]): per option; empty where there are none.
    shared_logprobs (list[float], CrowS-Pairs alone): per option, over the tokens that both options have.
    resamples (int, default 0), confidence (float, default 0.95), seed (int, default 0): cluster bootstrap.
Returns:
    {metric: estimate, metric_coverage: share of usable responses, metric_bound_low and metric_bound_high: smallest and
    largest score if all had answered}; with resamples also metric_low and metric_high.
"""

_OPEN_FEATURES = {
    "category": _TEXT,
    "cluster": _TEXT,
    "condition": _TEXT,
    "outcome": _TEXT,
    "text": _TEXT,
}
_OPEN_INPUTS = """
Args, one entry per continuation (what each column means: docs/reference/tables.md):
    category, cluster, condition (str): domain or attribute, topic or template, group.
    outcome (str): written, refusal or blank; only written texts are scored.
    text (str): what the model wrote, without the prompt.
    resamples (int, default 0), confidence (float, default 0.95), seed (int, default 0): cluster bootstrap.
Returns:
    {metric: estimate, metric_coverage: share of usable responses}; with resamples also metric_low and metric_high.
"""


class FamilyModule(evaluate.Metric):  # type: ignore[misc]  # evaluate ships no types
    """Scores of one `Family`; values in percent, NaN where undefined."""

    family: Family
    inputs_description = _INPUTS
    columns: Mapping[str, Any] = _FEATURES

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.family.description,
            citation=self.family.citation,
            inputs_description=self.inputs_description,
            features=datasets.Features(self.columns),
            homepage=self.family.homepage,
            reference_urls=[self.family.homepage],
        )

    def _compute(
        self, *, resamples: int = 0, confidence: float = 0.95, seed: int = 0, **columns: Any
    ) -> dict[str, float]:
        answers = self._answers({name: list(values) for name, values in columns.items()})
        result: dict[str, float] = {}
        for metric in self.family.metrics:
            items = metric.items(answers)
            if not items.any():
                continue
            clusters = add_up(metric, answers)
            totals = clusters.sums.sum(axis=0)
            result[metric.name] = float(metric.formula(totals))
            result[f"{metric.name}_coverage"] = float((items & metric.usable(answers)).sum() / items.sum())
            bounds = metric_bounds(metric, answers, totals)
            result[f"{metric.name}_bound_low"], result[f"{metric.name}_bound_high"] = bounds.low, bounds.high
            if resamples:
                interval = score_interval(
                    clusters,
                    metric,
                    resamples=resamples,
                    confidence=confidence,
                    rng=generator(seed, self.family.suite, "all", metric.name),
                )
                result[f"{metric.name}_low"], result[f"{metric.name}_high"] = interval.low, interval.high
        return result

    def _answers(self, columns: dict[str, list[Any]]) -> Answers:
        return answers_from_columns(columns)


class OpenFamilyModule(FamilyModule):
    """Scores of the `Family` of an open suite, from the texts that a model wrote."""

    inputs_description = _OPEN_INPUTS
    columns = _OPEN_FEATURES

    def _answers(self, columns: dict[str, list[Any]]) -> Answers:
        texts = [
            text if outcome == WRITTEN else ""
            for text, outcome in zip(columns["text"], columns["outcome"], strict=True)
        ]
        return answers_from_columns({**columns, **open_scores(texts)})


class OverTimeModule(evaluate.Metric):  # type: ignore[misc]  # evaluate ships no types
    """Stereotype rate over rounds and the slope of its log-odds on log(round)."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=FORCED_CHOICE.citation,
            inputs_description=(
                "Args, one entry per response: round (int, from 1), group (str: conversation or prompt), outcome "
                "(str); serial (bool, default False): answers of a group depend on earlier ones; resamples (default "
                "2000), confidence (default 0.95), seed (default 0). Returns: estimates, limits, bounds (slopes have "
                "none) and p-values of the slopes."
            ),
            features=datasets.Features({"round": _INTEGER, "group": _TEXT, "outcome": _TEXT}),
            homepage=HOMEPAGE,
            reference_urls=[HOMEPAGE],
        )

    def _compute(
        self,
        *,
        serial: bool = False,
        resamples: int = 2000,
        confidence: float = 0.95,
        seed: int = 0,
        **columns: Any,
    ) -> dict[str, float | str]:
        scores = over_time_scores(
            rounds=list(columns["round"]),
            groups=list(columns["group"]),
            outcomes=list(columns["outcome"]),
            serial=serial,
            resamples=resamples,
            confidence=confidence,
            scope=(seed, "over_time"),
        )
        result: dict[str, float | str] = {}
        for score in scores:
            result |= {
                score.metric: score.estimate,
                f"{score.metric}_low": score.low,
                f"{score.metric}_high": score.high,
                f"{score.metric}_bound_low": score.bound_low,
                f"{score.metric}_bound_high": score.bound_high,
            }
            if score.metric in ("slope", "slope_mixed"):
                result |= {f"{score.metric}_p": score.p, f"{score.metric}_reason": score.reason}
        return result


class HonestModule(evaluate.Metric):  # type: ignore[misc]  # evaluate ships no types
    """Share of completions with a hurtful word; the lexicon is a file that the caller names."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=honest.DESCRIPTION,
            citation=honest.CITATION,
            inputs_description=(
                "Args, one entry per completion: completion (str), template (str), category (str: whose identity the "
                "template names); lexicon (path of a HurtLex file); resamples (default 0), confidence (default 0.95), "
                "seed (default 0). Returns: honest, honest_coverage, with resamples honest_low and honest_high; and "
                "honest_{category} and so on."
            ),
            features=datasets.Features({"completion": _TEXT, "template": _TEXT, "category": _TEXT}),
            homepage=honest.HOMEPAGE,
            reference_urls=[honest.HOMEPAGE],
        )

    def _compute(
        self, *, lexicon: str, resamples: int = 0, confidence: float = 0.95, seed: int = 0, **columns: Any
    ) -> dict[str, float]:
        words = honest.read_hurtlex(Path(lexicon))
        categories = list(columns["category"])
        result: dict[str, float] = {}
        for name in ["", *sorted(set(categories))]:
            rows = [row for row, category in enumerate(categories) if name in ("", category)]
            score = honest.honest_score(
                [columns["completion"][row] for row in rows],
                [columns["template"][row] for row in rows],
                words,
                resamples=resamples,
                confidence=confidence,
                seed=seed,
            )
            key = f"honest_{name}" if name else "honest"
            result |= {key: score.estimate, f"{key}_coverage": score.coverage}
            if resamples:
                result |= {f"{key}_low": score.low, f"{key}_high": score.high}
        return result

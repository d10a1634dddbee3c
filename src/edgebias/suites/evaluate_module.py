"""The door to HuggingFace ``evaluate``: the metrics of a suite as an ``EvaluationModule``.

The classes are imported through this module, because ``evaluate`` takes the first module class that it finds in a
script.
"""

from __future__ import annotations

from typing import Any, cast

import datasets
import evaluate

from edgebias.core.errors import InputError
from edgebias.core.seeds import generator
from edgebias.metrics.answers import WRITTEN, Answers, answers_from_columns
from edgebias.metrics.bounds import metric_bounds
from edgebias.metrics.estimate import add_up, score_interval
from edgebias.metrics.metric import Family
from edgebias.metrics.text_scores import open_scores
from edgebias.suites.registry import SUITES

_TEXT = datasets.Value("string")
_INTEGER = datasets.Value("int64")
_FLOAT = datasets.Value("float64")
_COLUMNS = {
    "category": (_TEXT, "the item's category"),
    "cluster": (_TEXT, "its independent unit, such as a template"),
    "condition": (_TEXT, "its condition"),
    "roles": (datasets.Sequence(_TEXT), "role of each option"),
    "label": (_INTEGER, "index of the right option, -1 for none"),
    "choice": (_INTEGER, "index of the chosen option, -1 for none"),
    "outcome": (_TEXT, "role of the chosen option, or refusal, unparsed, blank, written"),
    "permutation": (datasets.Sequence(_INTEGER), "order in which letters showed the options"),
    "option_logprobs": (datasets.Sequence(_FLOAT), "summed log-probability of each option"),
    "n_tokens": (datasets.Sequence(_INTEGER), "number of tokens of each option"),
    "shared_logprobs": (datasets.Sequence(_FLOAT), "log-probability of each option over the tokens that both have"),
    "text": (_TEXT, "what the model wrote, without the prompt"),
}
_SETTINGS = ("resamples", "confidence", "seed")
_RESULT = """
    resamples (default 0), confidence (default 0.95), seed (default 0): cluster bootstrap.
Returns:
    {metric: estimate, metric_coverage: share of usable responses, metric_bound_low and metric_bound_high: smallest and
    largest score if all had answered}; with resamples also metric_low and metric_high.
"""


class FamilyModule(evaluate.Metric):  # type: ignore[misc]  # evaluate ships no types
    """Scores of one `Family`; values in percent, NaN where undefined."""

    family: Family

    def compute(self, **given: Any) -> dict[str, float] | None:
        """Score responses, given as one list for each column.

        Raises:
            InputError: a column that the metrics need is missing, or one is given that none of them knows.
        """
        settings = {name: given.pop(name) for name in _SETTINGS if name in given}
        result: dict[str, float] | None = super().compute(**self._complete(given), **settings)
        return result

    def add_batch(self, **given: Any) -> None:
        """Add responses, to be scored by `compute`.

        Raises:
            InputError: as `compute`.
        """
        super().add_batch(**self._complete({name: value for name, value in given.items() if value is not None}))

    def _complete(self, given: dict[str, Any]) -> dict[str, Any]:
        """Check the columns, and fill those that may be left out with empty lists."""
        if not given:  # what was added before is computed
            return given
        needed, optional = self.family.columns, self.family.optional
        if strange := sorted(given.keys() - {*needed, *optional}):
            known = ", ".join((*needed, *optional, *_SETTINGS))
            raise InputError(f"{self.family.suite}: there is no column {strange[0]!r}; it takes {known}")
        if missing := [name for name in needed if name not in given]:
            raise InputError(f"{self.family.suite}: column {missing[0]!r} is missing; it needs {', '.join(needed)}")
        n = len(given[needed[0]])
        return {name: [[]] * n for name in optional} | given

    def _info(self) -> evaluate.MetricInfo:
        names = (*self.family.columns, *self.family.optional)
        lines = [
            f"    {name}: {_COLUMNS[name][1]}{' (optional)' if name in self.family.optional else ''}." for name in names
        ]
        return evaluate.MetricInfo(
            description=self.family.description,
            citation=self.family.citation,
            inputs_description="\n".join(["", "Args, lists with one entry per response:", *lines]) + _RESULT,
            features=datasets.Features({name: _COLUMNS[name][0] for name in names}),
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
        if "text" in columns:
            written = [outcome == WRITTEN for outcome in columns["outcome"]]
            columns |= open_scores([text if one else "" for text, one in zip(columns["text"], written, strict=True)])
        return answers_from_columns({"outcome": [""] * len(columns["cluster"])} | columns)


def module_of(suite: str) -> FamilyModule:
    """Make the module of a suite that has no script, such as one of a plugin.

    Raises:
        InputError: there is no such suite.
    """
    module = type("Module", (FamilyModule,), {"family": SUITES.get(suite).family})
    return cast(FamilyModule, module())

"""Bias over repeated prompts as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("over_time")``."""

from typing import Any

import datasets
import evaluate

from edgebias.suites.over_time.metrics import CITATION, DESCRIPTION, HOMEPAGE, over_time_scores

_TEXT, _INTEGER = datasets.Value("string"), datasets.Value("int64")


class OverTime(evaluate.Metric):  # type: ignore[misc]  # evaluate ships no types
    """Stereotype rate over rounds and the slope of its log-odds on log(round)."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
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

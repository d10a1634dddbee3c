"""Scorers behind one interface, so that the same responders check ours, another harness or a user's own."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import edgebias.suites
from edgebias.checks.oracle.exact import ItemRow
from edgebias.checks.oracle.responders import Reply
from edgebias.core.errors import InputError
from edgebias.infer.outcome import Reading, read_continuation, read_text
from edgebias.metrics.answers import OPTION
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
    entry = SUITES.get(suite)
    columns: dict[str, list[Any]] = {
        name: [item[name] for item in items] for name in ("category", "cluster", "condition", "label")
    }
    if entry.open_ended:
        columns |= {"outcome": [read_continuation(text).outcome for text in texts], "text": list(texts)}
    else:
        readings = [
            # What a program comes to is not read in its text.
            Reading(reply.choice, OPTION if reply.choice >= 0 else reply.answer)
            if entry.runs_programs
            else read_text(text, item["options"], item["roles"], item["permutation"])
            for item, text, reply in zip(items, texts, replies, strict=True)
        ]
        columns |= {name: [list(item[name]) for item in items] for name in ("roles", "permutation")}
        columns |= {name: [getattr(reading, name) for reading in readings] for name in ("choice", "outcome")}
        columns |= {
            name: [list(getattr(reply, name)) for reply in replies]
            for name in ("option_logprobs", "n_tokens", "shared_logprobs")
        }
    asked = {name: columns[name] for name in (*entry.family.columns, *entry.family.optional)}
    return _without_companions(_module(suite).compute(**asked))


def _without_companions(found: Mapping[str, float]) -> Mapping[str, float]:
    """Return the scores alone, without their coverage and bounds."""
    beside = ("_coverage", "_bound_low", "_bound_high")
    return {name: value for name, value in found.items() if not name.endswith(beside)}


@lru_cache
def _module(suite: str) -> Any:
    return edgebias.suites.load(suite)


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

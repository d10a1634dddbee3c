"""Whether llama.cpp and transformers run the same model: the same tokens, and in exact arithmetic the same numbers.

Exact means 32-bit weights, keys, values and sums in llama.cpp, and 64 bits in transformers, whose 32-bit products lose
more. There the two differ by rounding alone: by at most 0.0002 nats in all formats of Qwen2.5-Coder-0.5B. The 16-bit
kernels and caches of an environment change far more, which is its effect and is measured apart
(`edgebias.checks.arithmetic`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgebias.backends.base import OptionRequest, OptionScores
from edgebias.checks.prompts import PromptParity
from edgebias.checks.settings import ParitySettings
from edgebias.core.progress import watched
from edgebias.infer.answer import WORDINGS
from edgebias.models.full import write_full
from edgebias.suites.item import Item

DIGITS = 5
"""Decimals of the differences in the file, in nats: what lies below is the order in which threads add up."""


@dataclass(frozen=True)
class FormatParity:
    """What a few items of one suite show in one format, in exact arithmetic; differences in nats, over all options."""

    suite: str
    format: str
    n_items: int
    n_options: int
    max_abs_difference: float
    mean_abs_difference: float


@dataclass(frozen=True)
class ExactModel:
    """The weights of a model in both programs, and how they are opened.

    Attributes:
        weights: GGUF file of float weights.
        folder: the same weights for transformers.
        threads: of each program; they run one after the other.
        context: most tokens of a prompt and an option together.
        template_variables: more names that the chat template may read.
        scratch: where the 32-bit copy of ``weights`` lies meanwhile, four bytes a weight.
    """

    weights: Path
    folder: Path
    threads: int
    context: int
    template_variables: Mapping[str, Any]
    scratch: Path


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """Return at most ``count`` items, at even distances in the order of the table."""
    places = np.linspace(0, len(items) - 1, min(count, len(items)))
    return [items[round(place)] for place in places]


def compare_exact(
    items: Mapping[str, Sequence[Item]], formats: Mapping[str, Iterable[str]], model: ExactModel
) -> list[FormatParity]:
    """Score the options of ``items`` in both programs and return how far they differ, by suite and format.

    Args:
        items: by suite.
        formats: of each suite; one without options is left out.
        model: what is run, one program after the other, so that only one holds the weights.

    Raises:
        InputError: the weights cannot be loaded, or a request does not fit in the context.
    """
    asked = []
    for suite, rows in items.items():
        for name in formats[suite]:
            wordings = [WORDINGS[name](item, None) for item in rows]
            if all(worded.continuations for worded in wordings):
                asked.append((suite, name, [OptionRequest(worded.prompt, worded.continuations) for worded in wordings]))
    requests = [request for _, _, part in asked for request in part]
    apart = iter(differences(requests, model))
    return [format_parity(suite, name, list(islice(apart, len(part)))) for suite, name, part in asked]


def differences(requests: Sequence[OptionRequest], model: ExactModel) -> list[np.ndarray]:
    """Score ``requests`` in both programs; return the absolute differences in nats, (options,) for each request.

    Raises:
        InputError: as `compare_exact`.
    """
    pairs = zip(_llama_scores(model, requests), _torch_scores(model, requests), strict=True)
    return [np.abs(np.subtract(ours.logprobs, theirs.logprobs)) for ours, theirs in pairs]


def format_parity(suite: str, name: str, apart: Sequence[np.ndarray]) -> FormatParity:
    """Summarise the absolute differences of each item's options."""
    together = np.concatenate(apart)
    largest, mean = (round(float(value), DIGITS) for value in (together.max(), together.mean()))
    return FormatParity(suite, name, len(apart), len(together), largest, mean)


def _llama_scores(model: ExactModel, requests: Sequence[OptionRequest]) -> list[OptionScores]:
    from edgebias.backends.local.llama_engine import LlamaBackend

    try:
        write_full(model.weights, model.scratch, None, "F32")
        with LlamaBackend(
            model.scratch,
            threads=model.threads,
            context=model.context,
            start_token=None,
            template_variables=model.template_variables,
            exact=True,
        ) as backend:
            return list(watched(backend.score(requests), "llama.cpp", len(requests)))
    finally:
        model.scratch.unlink(missing_ok=True)


def _torch_scores(model: ExactModel, requests: Sequence[OptionRequest]) -> list[OptionScores]:
    from edgebias.backends.local.torch_engine import TorchBackend

    with TorchBackend(
        model.folder,
        threads=model.threads,
        context=model.context,
        start_token=None,
        template_variables=model.template_variables,
        exact=True,
    ) as backend:
        return list(watched(backend.score(requests), "transformers", len(requests)))


def failures(exact: Sequence[FormatParity], prompts: Sequence[PromptParity], settings: ParitySettings) -> list[str]:
    """Return one clause for each format whose numbers differ, and for each suite whose prompts do.

    NaN (an infinite log-probability) exceeds any tolerance.
    """
    clauses = [
        f"{found.suite} as {found.format}: |difference| {found.max_abs_difference:.4f} > "
        f"{settings.max_abs_difference:g} nats in exact arithmetic"
        for found in exact
        if not found.max_abs_difference <= settings.max_abs_difference
    ]
    for asked in prompts:
        if asked.first is not None:
            first = asked.first
            clauses.append(
                f"{asked.suite}: {asked.n_differ} of {asked.n_prompts} prompts have other tokens, first "
                f"{first.item_id!r} as {first.format}, {first.part}, token {first.place}: llama.cpp "
                f"{list(first.llama)}, transformers {list(first.transformers)}"
            )
    return clauses


def parity_record(
    exact: Sequence[FormatParity], prompts: Sequence[PromptParity], settings: ParitySettings, failed: list[str]
) -> dict[str, Any]:
    """Return the content of the parity file."""
    by_suite: dict[str, Any] = {}
    for found in exact:
        by_suite.setdefault(found.suite, {})[found.format] = asdict(found)
    return {
        "passed": not failed,
        "failures": failed,
        "max_abs_difference": settings.max_abs_difference,
        "exact": by_suite,
        "prompts": {asked.suite: asdict(asked) for asked in prompts},
    }

"""How fast a model reads and writes, and what a control vector or another mitigation costs of that."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from edgebias.backends.base import Backend, GenerationRequest, GenerationSettings, OptionRequest, Prompt
from edgebias.mitigate.steering.directions import Matrix

PROMPTS, TOKENS = 3, 16
"""How many prompts the median is taken over, and how many tokens are written after each."""

SCORED = 12
"""Sentences, or items of all suites together, that are scored where a method writes nothing."""

PAIRS = 4
"""How often speed with and without a vector is measured in turn."""


def speed(backend: Backend, sentences: Sequence[str]) -> dict[str, float | None]:
    """Measure the median ms per token of reading a fixed text and of writing after it."""
    third = len(sentences) // PROMPTS
    prefill, generation = [], []
    for number in range(PROMPTS):
        prompt = Prompt(text=" ".join(sentences[number * third : (number + 1) * third][:6]))
        read = backend.usage().prompt_tokens
        first = _seconds(backend, prompt, 1)[0]
        prefill.append(1000.0 * first / max(1, backend.usage().prompt_tokens - read))
        again = _seconds(backend, prompt, 1)[0]
        seconds, written = _seconds(backend, prompt, TOKENS + 1)
        if written > 1:
            generation.append(1000.0 * (seconds - again) / (written - 1))
    return {
        "prefill_ms_per_token": float(np.median(prefill)),
        "generation_ms_per_token": float(np.median(generation)) if generation else None,
    }


def paired_speed(backend: Backend, vector: Matrix, sentences: Sequence[str]) -> dict[str, float | None]:
    """Measure `speed` with the vector and, in turn with it, without: other jobs slow both of a pair alike.

    ``*_ratio`` is the median over the pairs of with over without.
    """
    from edgebias.backends.local.llama_engine import LlamaBackend

    assert isinstance(backend, LlamaBackend)  # nothing else was steered

    def measure(steered: bool) -> dict[str, float | None]:
        backend.set_control_vector(vector if steered else None)
        return speed(backend, sentences)

    return _in_turn(measure)


def scoring_speed(plain: Backend, mitigated: Backend, asked: Sequence[OptionRequest]) -> dict[str, float | None]:
    """Measure the median ms per token of scoring options under a mitigation that is no vector, and, in turn with it,
    without.

    Nothing is remembered from one time to the next. ``prefill_ms_per_token_ratio`` is the median over the pairs of
    with over without.
    """

    def measure(with_it: bool) -> dict[str, float | None]:
        backend = mitigated if with_it else plain
        backend.forget()
        start = time.perf_counter()
        scored = list(backend.score(asked))
        seconds = time.perf_counter() - start
        return {"prefill_ms_per_token": 1000.0 * seconds / sum(sum(one.n_tokens) for one in scored)}

    return _in_turn(measure)


def _in_turn(measure: Callable[[bool], dict[str, float | None]]) -> dict[str, float | None]:
    """Measure the medians of what ``measure`` gives with a mitigation (True) and without, and of the ratios of the
    pairs.
    """
    found: dict[bool, list[dict[str, float | None]]] = {False: [], True: []}
    for number in range(PAIRS):
        for with_it in (number % 2 == 0, number % 2 == 1):  # each goes first in half of the pairs
            found[with_it].append(measure(with_it))
    record: dict[str, float | None] = {}
    for name in found[True][0]:
        pairs = [
            (with_it, without)
            for with_it, without in zip(
                (one[name] for one in found[True]), (one[name] for one in found[False]), strict=True
            )
            if with_it is not None and without is not None
        ]
        record[name] = float(np.median([pair[0] for pair in pairs])) if pairs else None
        record[f"{name}_without"] = float(np.median([pair[1] for pair in pairs])) if pairs else None
        record[f"{name}_ratio"] = float(np.median([pair[0] / pair[1] for pair in pairs])) if pairs else None
    return record


def _seconds(backend: Backend, prompt: Prompt, tokens: int) -> tuple[float, int]:
    """Measure how long ``backend`` takes to read ``prompt`` and write up to ``tokens`` tokens, and how many
    it wrote.
    """
    start = time.perf_counter()
    (generation,) = backend.generate([GenerationRequest(prompt)], GenerationSettings(max_new_tokens=tokens))
    return time.perf_counter() - start, generation.n_tokens

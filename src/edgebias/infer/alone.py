"""How fast a build answers one prompt alone: time to first token, prompt and generated tokens a second.

Jobs evaluate many prompts together, so that no time of a single answer can be read off them. A few prompts are
therefore asked once more, one by one, when all answers are there. Nothing of it reaches a response table, and the
counts of the cost file are taken before.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from edgebias.backends.base import Backend, GenerationRequest, GenerationSettings, Prompt
from edgebias.backends.registry import properties_of
from edgebias.core.errors import InputError
from edgebias.infer.wording import continuation_wording, letter_wording, likelihood_wording
from edgebias.suites.formats import LETTER, wordings_of
from edgebias.suites.item import Item

PROMPTS = 3
NEW_TOKENS = 16
FEWEST_TOKENS = 4
"""A generation that ends sooner says nothing about the pace of generation."""


def speed_alone(
    backend: Backend, items: Sequence[Item], formats: Sequence[str], environment: Mapping[str, Any]
) -> dict[str, Any]:
    """Ask `PROMPTS` prompts of ``items`` one by one, each from nothing, and time them.

    The prompt of an item is that of the format ``letter`` where the job has letters, else the text that is continued or
    scored after. Time to first token: from handing over the prompt to having its first new token. Pace of generation:
    the time that `NEW_TOKENS` new tokens take beyond that of the first.

    Args:
        backend: the backend, when it has answered everything.
        items: what was asked.
        formats: in which formats.
        environment: the environment's settings: its backend may say that single answers are not timed.

    Returns:
        ``prompts``, medians ``prompt_tokens``, ``first_token_seconds``, ``prompt_tokens_per_second`` and
        ``generated_tokens_per_second``; None for what could not be measured, with the ``reason``.
    """
    if reason := properties_of(environment).not_timed:
        return _nothing(reason)
    chosen = sorted(items, key=lambda item: item.item_id)
    step = max(len(chosen) // PROMPTS, 1)
    prompts = [_prompt(item, formats) for item in chosen[::step][:PROMPTS]]
    try:
        runs = [_run(backend, prompt) for prompt in prompts]
    except InputError as error:  # the answers are there: a measurement must not cost them
        return _nothing(str(error))
    return {
        "prompts": len(runs),
        "prompt_tokens": _median([tokens for tokens, _, _ in runs]),
        "first_token_seconds": _median([seconds for _, seconds, _ in runs]),
        "prompt_tokens_per_second": _median([tokens / seconds for tokens, seconds, _ in runs if tokens and seconds]),
        "generated_tokens_per_second": _median([pace for _, _, pace in runs if pace is not None]),
        "reason": "",
    }


def _run(backend: Backend, prompt: Prompt) -> tuple[int, float, float | None]:
    """Return the tokens of the prompt, seconds to its first new token, and new tokens a second after it."""
    before = backend.usage().prompt_tokens
    first, _ = _timed(backend, prompt, 1)
    tokens = backend.usage().prompt_tokens - before
    whole, written = _timed(backend, prompt, NEW_TOKENS)
    pace = (written - 1) / (whole - first) if written >= FEWEST_TOKENS and whole > first else None
    return tokens, first, pace


def _timed(backend: Backend, prompt: Prompt, new_tokens: int) -> tuple[float, int]:
    backend.forget()
    started = time.perf_counter()
    (generation,) = backend.generate([GenerationRequest(prompt)], GenerationSettings(max_new_tokens=new_tokens))
    return time.perf_counter() - started, generation.n_tokens


def _prompt(item: Item, formats: Sequence[str]) -> Prompt:
    if LETTER in wordings_of(formats):
        return letter_wording(item).prompt
    return (likelihood_wording(item) if item.options else continuation_wording(item)).prompt


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _nothing(reason: str) -> dict[str, Any]:
    names = ("prompt_tokens", "first_token_seconds", "prompt_tokens_per_second", "generated_tokens_per_second")
    return {"prompts": 0, **dict.fromkeys(names), "reason": reason}

"""Evaluate one mitigation method on held-out items: bias, utility and cost, always together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edgebias.backends.base import Backend, GenerationRequest, GenerationSettings, OptionRequest, Prompt
from edgebias.errors import InputError
from edgebias.files import read_table, write_json
from edgebias.infer.answer import answer_items
from edgebias.infer.cell import formats_of, open_cell, read_cell
from edgebias.infer.items import items_from_table
from edgebias.infer.responses import write_responses
from edgebias.journal.job import journaled, open_job
from edgebias.mitigate.control import CONTROLS, control_answers
from edgebias.mitigate.directions import SINGLE_LAYER, Matrix
from edgebias.mitigate.held_out import HELD_OUT, read_split
from edgebias.mitigate.reductions import MITIGATION, SUITES, reductions, with_families
from edgebias.mitigate.vector_file import read_control_vector
from edgebias.score.main import interval_settings
from edgebias.score.table import RESPONSE_COLUMNS, SCORE, join, score_table
from edgebias.settings import require
from edgebias.stats.bootstrap import bootstrap
from edgebias.stats.clusters import Clusters
from edgebias.stats.seeds import generator
from edgebias.variants.perplexity import neutral_sentences

NONE, INSTRUCTION, FEEDBACK_LOOP, OPEN_LOOP = "none", "instruction", "feedback_loop", "open_loop"
STEERED = (FEEDBACK_LOOP, OPEN_LOOP, SINGLE_LAYER)
"""Methods that are a control vector: what the loop found, its directions at a gain of 1, a baseline from the field."""

METHODS = (NONE, INSTRUCTION, *STEERED, *CONTROLS)

NEUTRAL = "neutral_text"

SPEED_PROMPTS, SPEED_TOKENS = 3, 16
SPEED_PAIRS = 4
"""How often speed with and without a vector is measured in turn."""


def evaluate(
    settings: dict[str, Any],
    *,
    method: str,
    items_folder: Path,
    texts: Path,
    weights: Path,
    control_vector: Path | None,
    baseline: Path | None,
    responses: Path,
    scores: Path,
    cost: Path,
) -> None:
    """Answer the held-out items under ``method``; write responses, scores and cost.

    Raises:
        InputError: settings, items, weights, vector or baseline are unusable or do not fit the method.
    """
    if method not in METHODS:
        raise InputError(f"--method {method}: unknown; choose one of {list(METHODS)}")
    if (method in STEERED) != (control_vector is not None):
        raise InputError(
            f"--control-vector: {list(STEERED)} need it and no other method takes it; --method is {method}"
        )
    require(settings, "mitigate")
    require(settings["mitigate"], "perplexity_sentences")
    cell = read_cell(settings)
    seed, resamples, confidence = interval_settings(settings, "mitigate")
    instruction = str(settings["mitigate"]["instruction"]) if method == INSTRUCTION else None
    tables = {
        suite: read_split(path, HELD_OUT) for suite in SUITES if (path := items_folder / f"{suite}.parquet").exists()
    }
    if not tables:
        raise InputError(
            f"{items_folder}: has none of {[f'{suite}.parquet' for suite in SUITES]}; run the prompts stage"
        )
    sentences = neutral_sentences(texts, "perplexity")[: settings["mitigate"]["perplexity_sentences"]]
    before = None if baseline is None else read_table(baseline, RESPONSE_COLUMNS)
    asked = {
        suite: items_from_table(table, str(items_folder / f"{suite}.parquet"), suite) for suite, table in tables.items()
    }

    def finish(answered: dict[str, pd.DataFrame], parts: list[pd.DataFrame], record: dict[str, Any]) -> None:
        for suite, table in tables.items():
            joined = join(table, answered[suite], suite=suite, items_name=suite, responses_name=method)
            parts.append(score_table(joined, suite=suite, seed=seed, resamples=resamples, confidence=confidence))
            if before is not None:
                reference = before[before["item_id"].isin(table["item_id"])]
                matched = join(table, reference, suite=suite, items_name=suite, responses_name=str(baseline))
                parts.append(reductions(matched, joined, suite, seed=seed, resamples=resamples, confidence=confidence))
        write_responses(pd.concat(answered.values()).sort_values(["item_id", "format"], ignore_index=True), responses)
        MITIGATION.write(with_families(pd.concat(parts, ignore_index=True), method), scores)
        write_json(record, cost)

    if method in CONTROLS:
        controls = {
            suite: control_answers(method, items, formats_of(cell, suite), seed) for suite, items in asked.items()
        }
        finish(controls, [], {"method": method, "control_vector_bytes": 0})
        return
    job_of = open_job(
        "edgebias.mitigate",
        settings,
        cell,
        files=[*(items_folder / f"{suite}.parquet" for suite in tables), texts, *filter(None, [control_vector])],
        weights=weights,
        outputs=[responses, scores, cost],
        more=[method],
    )
    with job_of as job:
        with open_cell(cell, weights) as loaded:  # steered before its answers are kept: only the model itself can be
            vector = None if control_vector is None else steer(loaded, control_vector)
            backend = journaled(loaded, job.journal)
            answered = {
                suite: answer_items(backend, items, formats_of(cell, suite), cell.answer, instruction, job.stopwatch)
                for suite, items in asked.items()
            }
            record = job.cost(backend, skipped={})
            rows = [_perplexity_row(backend, sentences, instruction, seed, resamples, confidence)]
            record |= {"method": method, "control_vector_bytes": 0 if vector is None else int(vector[1:].nbytes)}
            record |= _speed(loaded, sentences) if vector is None else _paired_speed(loaded, vector, sentences)
        finish(answered, [pd.DataFrame(rows, columns=list(SCORE.names))], record)


def steer(backend: Backend, control_vector: Path) -> Matrix:
    """Load the vector of ``control_vector`` into ``backend``; return it.

    Raises:
        InputError: the backend cannot be steered, or the vector belongs to another model.
    """
    from edgebias.backends.llama import LlamaBackend

    if not isinstance(backend, LlamaBackend):
        raise InputError(f"environments: a control vector needs the backend 'llama', not {backend.name!r}")
    vector = read_control_vector(control_vector, backend.n_layer, backend.n_embd)
    backend.set_control_vector(vector)
    return vector


def _perplexity_row(
    backend: Backend, sentences: Sequence[str], instruction: str | None, seed: int, resamples: int, confidence: float
) -> dict[str, Any]:
    """Perplexity of neutral text as the model is served: after the instruction, where there is one."""
    prompt, space = (Prompt(text=""), "") if instruction is None else (Prompt(text=instruction.strip()), " ")
    scored = list(backend.score([OptionRequest(prompt, (space + sentence,)) for sentence in sentences]))
    clusters = Clusters(
        np.array([f"{place:04d}" for place in range(len(scored))]),
        np.array(["neutral"] * len(scored)),
        np.array([[-score.logprobs[0], float(score.n_tokens[0])] for score in scored]),
    )
    interval = bootstrap(
        clusters,
        lambda totals: np.exp(totals[..., 0] / totals[..., 1]),
        bounds=(1.0, np.inf),
        resamples=resamples,
        confidence=confidence,
        rng=generator(seed, "mitigate", NEUTRAL),
    )
    return {
        "suite": NEUTRAL,
        "format": "likelihood",
        "category": "all",
        "metric": "perplexity",
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n": len(scored),
        "n_clusters": len(scored),
        "coverage": 1.0,
        "bound_low": interval.estimate,
        "bound_high": interval.estimate,
        "n_refusal": 0,
        "n_unparsed": 0,
        "n_blank": 0,
        "ideal": np.nan,
    }


def _speed(backend: Backend, sentences: Sequence[str]) -> dict[str, float | None]:
    """Median ms per token of reading a fixed text and of writing after it."""
    third = len(sentences) // SPEED_PROMPTS
    prefill, generation = [], []
    for number in range(SPEED_PROMPTS):
        prompt = Prompt(text=" ".join(sentences[number * third : (number + 1) * third][:6]))
        read = backend.usage().prompt_tokens
        first = _seconds(backend, prompt, 1)[0]
        prefill.append(1000.0 * first / max(1, backend.usage().prompt_tokens - read))
        again = _seconds(backend, prompt, 1)[0]
        seconds, written = _seconds(backend, prompt, SPEED_TOKENS + 1)
        if written > 1:
            generation.append(1000.0 * (seconds - again) / (written - 1))
    return {
        "prefill_ms_per_token": float(np.median(prefill)),
        "generation_ms_per_token": float(np.median(generation)) if generation else None,
    }


def _paired_speed(backend: Backend, vector: Matrix, sentences: Sequence[str]) -> dict[str, float | None]:
    """`_speed` with the vector and, in turn with it, without: other jobs slow both of a pair alike.

    ``*_ratio`` is the median over the pairs of with over without.
    """
    from edgebias.backends.llama import LlamaBackend

    assert isinstance(backend, LlamaBackend)  # nothing else was steered
    found: dict[bool, list[dict[str, float | None]]] = {False: [], True: []}
    for number in range(SPEED_PAIRS):
        for steered in (number % 2 == 0, number % 2 == 1):  # each goes first in half of the pairs
            backend.set_control_vector(vector if steered else None)
            found[steered].append(_speed(backend, sentences))
    record: dict[str, float | None] = {}
    for name in found[True][0]:
        pairs = [
            (with_it, without)
            for with_it, without in zip(
                (speed[name] for speed in found[True]), (speed[name] for speed in found[False]), strict=True
            )
            if with_it is not None and without is not None
        ]
        record[name] = float(np.median([pair[0] for pair in pairs])) if pairs else None
        record[f"{name}_without"] = float(np.median([pair[1] for pair in pairs])) if pairs else None
        record[f"{name}_ratio"] = float(np.median([pair[0] / pair[1] for pair in pairs])) if pairs else None
    return record


def _seconds(backend: Backend, prompt: Prompt, tokens: int) -> tuple[float, int]:
    start = time.perf_counter()
    (generation,) = backend.generate([GenerationRequest(prompt)], GenerationSettings(max_new_tokens=tokens))
    return time.perf_counter() - start, generation.n_tokens

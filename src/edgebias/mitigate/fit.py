"""Run the feedback loop on calibration items, and export the gains at which it came to rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edgebias.backends.llama import LlamaBackend
from edgebias.errors import InputError
from edgebias.files import write_csv, write_json
from edgebias.infer.answer import LIKELIHOOD, AnswerSettings, answer_items
from edgebias.infer.cell import read_cell
from edgebias.infer.items import Item, items_from_table
from edgebias.metrics.metric import stereotype_rate
from edgebias.mitigate.calibration import drivers, read_calibration
from edgebias.mitigate.controller import ControllerSettings, Vector
from edgebias.mitigate.directions import LEARNED, SOURCES, Directions, from_vector
from edgebias.mitigate.loop import LoopResult, LoopSettings, PassResult, Plant, run_loop
from edgebias.mitigate.vector_file import model_hint, read_control_vector, write_control_vector
from edgebias.score.table import cell_answers, join, measure
from edgebias.settings import require
from edgebias.stats.seeds import generator
from edgebias.variants.perplexity import mean_negative_log_likelihood, neutral_sentences, sentence_scorer

METRIC = stereotype_rate("stereotype_rate")
"""Per cent of stereotype-consistent choices among both kinds, length-normalised likelihood, pooled over the drivers."""

GUARD_TOKENS = 256
"""Tokens of neutral text on which the guard reads perplexity in each round."""

RESAMPLES, CONFIDENCE = 1000, 0.95
"""The interval of a calibration pass; it decides when the loop stops, and is not a reported score."""


def constraint_weights(n_layers: int, source: str) -> Vector:
    """The predefined constraint weight of each layer, 0 to 1; that of layer 0 is 0, since llama.cpp cannot steer it.

    Learned vectors have a length of their own in every layer, which is their weight: the loop moves all layers alike.
    Directions without a length get a squared sine with its peak in the middle. The first layers carry spelling and the
    last ones the choice of the next word; what a text says about a group is held between.
    """
    if source == LEARNED:
        return np.array([0.0] + [1.0] * (n_layers - 1))
    return np.sin(np.pi * np.arange(n_layers) / n_layers) ** 2


def fit(
    settings: dict[str, Any],
    *,
    items_folder: Path,
    texts: Path,
    weights: Path,
    directions: Path,
    control_vector: Path,
    trajectory: Path,
    state: Path,
) -> None:
    """Run the loop along the directions that `edgebias.mitigate.find` wrote; write vector, trajectory and state.

    Raises:
        InputError: settings, items, directions or weights are unusable.
    """
    cell = read_cell(settings)
    loop_settings, source = _read_loop(settings)
    tables = read_calibration(items_folder, drivers(settings))
    items = [item for suite, table in tables.items() for item in items_from_table(table, suite, suite)]
    sentences = neutral_sentences(texts, "fit")
    with LlamaBackend(
        weights,
        threads=int(cell.environment["threads"]),
        context=int(cell.environment["context"]),
        start_token=cell.model.get("start_token"),
    ) as backend:
        found = from_vector(read_control_vector(directions, backend.n_layer, backend.n_embd), source)
        plant = _plant(backend, found, tables, items, sentences, cell.answer)
        result = run_loop(plant, constraint_weights(backend.n_layer, source), loop_settings)
    write_control_vector(found.vector(result.gains), control_vector, model_hint(weights))
    write_csv(result.trajectory, trajectory, ["round"])
    write_json(_state(result, found, loop_settings, len(items), _fitted(settings, source)), state)


def _plant(
    backend: LlamaBackend,
    directions: Directions,
    tables: Mapping[str, pd.DataFrame],
    items: Sequence[Item],
    sentences: Sequence[str],
    answer: AnswerSettings,
) -> Plant:
    stream = _stream(items, answer.seed)

    def apply(gains: Vector) -> float:
        vector = directions.vector(gains)
        backend.set_control_vector(vector)
        return float(np.linalg.norm(vector))

    def judge(count: int) -> list[bool]:
        asked = [next(stream) for _ in range(count)]
        once = list({item.item_id: item for item in asked}.values())  # two passes over the items may meet in a window
        outcome = answer_items(backend, once, [LIKELIHOOD], answer).set_index("item_id")["outcome"]
        judged = [str(outcome[item.item_id]) for item in asked]
        return [one == "stereotype" for one in judged if one in ("stereotype", "anti_stereotype")]

    def full_pass() -> PassResult:
        responses = answer_items(backend, items, [LIKELIHOOD], answer)
        parts = [
            join(
                table,
                responses[responses["item_id"].isin(table["item_id"])],
                suite=suite,
                items_name=f"calibration items of {suite}",
                responses_name="calibration pass",
            )
            for suite, table in tables.items()
        ]
        joined = pd.concat(parts, ignore_index=True)
        row = measure(
            METRIC,
            cell_answers(joined.assign(category=joined["suite"] + "/" + joined["category"])),
            rng=generator(answer.seed, "mitigate", "calibration"),
            resamples=RESAMPLES,
            confidence=CONFIDENCE,
        )
        return PassResult(float(row["estimate"]), float(row["low"]), float(row["high"]))

    def perplexity() -> float:
        return mean_negative_log_likelihood(sentence_scorer(backend.score), sentences, GUARD_TOKENS).value

    return Plant(apply, judge, full_pass, perplexity)


def _stream(items: Sequence[Item], seed: int) -> Iterator[Item]:
    """Items for ever: each pass over them is in a new seeded order in which the categories take turns."""
    number = 0
    while True:
        rng = generator(seed, "mitigate", "stream", str(number))
        queues: dict[str, list[Item]] = {}
        for place in rng.permutation(len(items)):
            queues.setdefault(f"{items[place].suite}/{items[place].category}", []).append(items[place])
        while queues:
            for category in sorted(queues):
                yield queues[category].pop()
                if not queues[category]:
                    del queues[category]
        number += 1


def _read_loop(settings: dict[str, Any]) -> tuple[LoopSettings, str]:
    require(settings, "mitigate")
    values = settings["mitigate"]
    if not isinstance(values, dict):
        raise InputError("--settings: mitigate must be a mapping")
    require(values, "window", "rounds", "proportional", "integral", "max_gain", "perplexity_budget", "directions")
    if values["directions"] not in SOURCES:
        raise InputError(f"mitigate.directions: {values['directions']!r} is unknown; choose one of {list(SOURCES)}")
    try:
        controller = ControllerSettings(
            float(values["proportional"]), float(values["integral"]), float(values["max_gain"])
        )
        window, rounds, budget = int(values["window"]), int(values["rounds"]), float(values["perplexity_budget"])
    except (TypeError, ValueError) as error:
        raise InputError(f"mitigate: {error}; see workflow/schemas/params.schema.yaml") from error
    return LoopSettings(controller, window, rounds, budget), str(values["directions"])


def _fitted(settings: dict[str, Any], source: str) -> list[str]:
    """The suites whose calibration items had a part in the vector."""
    learned = settings["mitigate"]["learning"]["suites"] if source == LEARNED else []
    return sorted({*drivers(settings), *learned})


def _state(
    result: LoopResult, directions: Directions, settings: LoopSettings, n_items: int, suites: list[str]
) -> dict[str, Any]:
    def passed(one: PassResult) -> dict[str, float]:
        return {"bias": one.bias, "low": one.low, "high": one.high}

    return {
        "directions": directions.source,
        "converged": result.converged,
        "rounds": result.rounds,
        "suites": suites,
        "calibration_items": n_items,
        "window": settings.window,
        "calibration_before": passed(result.before),
        "calibration_after": passed(result.after),
        "perplexity_before": result.perplexity_before,
        "perplexity_after": result.perplexity_after,
        "gains": [float(gain) for gain in result.gains],
        "scales": [float(length) for length in directions.scale],
    }

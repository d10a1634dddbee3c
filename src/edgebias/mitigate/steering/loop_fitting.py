"""Run the feedback loop on calibration items, and export the gains at which it came to rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edgebias.core.errors import InputError
from edgebias.core.files import write_csv, write_json
from edgebias.core.settings import keys_of, seed_of
from edgebias.infer.cell import read_cell
from edgebias.mitigate.calibration import (
    LEARNED_SENTENCES,
    QUESTIONS,
    drivers,
    read_calibration,
    steered_suites,
)
from edgebias.mitigate.reference_answers import answer_requests, read_reference_answers
from edgebias.mitigate.settings import LoopKeys
from edgebias.mitigate.steering.calibration_build import CalibrationBuild, CrossFitted
from edgebias.mitigate.steering.controller import ControllerSettings, Vector
from edgebias.mitigate.steering.directions import LEARNED, Directions, from_vector
from edgebias.mitigate.steering.folds import number_of_folds
from edgebias.mitigate.steering.gate import open_gate
from edgebias.mitigate.steering.llama_build import open_build
from edgebias.mitigate.steering.loop import LoopResult, LoopSettings, PassResult, run_loop
from edgebias.mitigate.steering.utility import Budget
from edgebias.mitigate.steering.vector_file import model_hint, read_control_vector, write_control_vector
from edgebias.models.perplexity import neutral_sentences


def constraint_weights(n_layers: int, source: str) -> Vector:
    """Return the predefined constraint weight of each layer, 0 to 1.

    That of layer 0 is 0, since llama.cpp cannot steer it.

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
    answers: Path,
    weights: Path,
    directions: Path,
    directions_without: Sequence[Path],
    gate: Path | None,
    control_vector: Path,
    trajectory: Path,
    state: Path,
) -> None:
    """Run the loop along the directions that were found; write vector, trajectory and state.

    Args:
        settings: of the rule ``fit_feedback_loop``.
        items_folder: of the item tables.
        texts: neutral text, as BOLD has it.
        answers: table of reference answers; the guard reads its own part of it.
        weights: GGUF of the build.
        directions: the mean of the following, which is shipped (`edgebias.mitigate.steering.shipped_vector`).
        directions_without: those found without each fold, in order of the folds; the loop judges under them.
        gate: behind which the vector will be used, and is judged and guarded; None of one for every request.
        control_vector: file to write.
        trajectory: table to write.
        state: file to write.

    Raises:
        InputError: settings, items, directions, gate or weights are unusable.
    """
    cell = read_cell(settings)
    loop_settings, source = _read_loop(settings)
    folds = number_of_folds(settings)
    if len(directions_without) != folds:
        raise InputError(
            f"--directions-without: {len(directions_without)} files, and mitigate.folds is {folds}; "
            "give one of each fold"
        )
    tables = read_calibration(items_folder, drivers(settings))
    suites = steered_suites(settings)
    asked = read_calibration(items_folder, [QUESTIONS])[QUESTIONS] if QUESTIONS in suites else None
    sentences = neutral_sentences(texts, "fit")[LEARNED_SENTENCES:]
    spared = answer_requests(read_reference_answers(answers, "guard"))
    opens = None if gate is None else open_gate(gate, weights)
    with open_build(cell, weights) as backend:
        shipped, *without = (
            from_vector(read_control_vector(path, backend.n_layer, backend.n_embd), source)
            for path in (directions, *directions_without)
        )
        build = CalibrationBuild(
            backend, CrossFitted(shipped, without), tables, sentences, spared, cell.answer, opens, asked
        )
        result = run_loop(build.target(), constraint_weights(backend.n_layer, source), loop_settings)
    write_control_vector(shipped.vector(result.gains), control_vector, model_hint(weights))
    write_csv(result.trajectory, trajectory, ["round"])
    fitted = {
        "seed": seed_of(settings),
        "suites": list(suites),
        "folds": folds,
        "calibration_items": sum(len(table) for table in tables.values()),
    }
    write_json(fitted | _state(result, shipped, loop_settings), state)


def _read_loop(settings: Mapping[str, Any]) -> tuple[LoopSettings, str]:
    keys = keys_of(settings, "mitigate", LoopKeys)
    controller = ControllerSettings(keys.proportional, keys.integral, keys.max_gain)
    budget = Budget(keys.perplexity_budget, keys.question_budget)
    return LoopSettings(controller, keys.window, keys.rounds, budget, keys.first_gain), keys.directions


def _state(result: LoopResult, directions: Directions, settings: LoopSettings) -> dict[str, Any]:
    def passed(one: PassResult) -> dict[str, float]:
        return {"bias": one.bias, "low": one.low, "high": one.high}

    before, after = result.utility_before, result.utility_after
    questions = {"questions_before": before.questions, "questions_after": after.questions}
    return {
        "directions": directions.source,
        "converged": result.converged,
        "stopped": result.stopped,
        "rounds": result.rounds,
        "window": settings.window,
        "calibration_before": passed(result.before),
        "calibration_after": passed(result.after),
        "perplexity_before": asdict(before.perplexities),
        "perplexity_after": asdict(after.perplexities),
        **{name: asdict(found) for name, found in questions.items() if found is not None},
        "gains": [float(gain) for gain in result.gains],
        "scales": [float(length) for length in directions.scale],
    }

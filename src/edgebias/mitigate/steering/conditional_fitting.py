"""Fit conditional activation steering (CAST), a gated method of the field, on calibration items.

Lee et al., ICLR 2025, arXiv 2409.05907, and IBM/activation-steering, which is the authors' code: a behaviour vector,
the first principal component of contrast pairs in blocks of the middle, for requests that meet a condition
(`edgebias.mitigate.steering.activation_condition`).

What differs here: the behaviour vector has one length for all its blocks relative to their residual norm, since models
differ in theirs, and its strength, which the authors set by hand, is the one of a few whose pass over calibration items
is nearest the ideal within the perplexity budget. As there, both vectors are judged on what they were found from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from edgebias.core.errors import InputError
from edgebias.core.files import write_json
from edgebias.core.settings import value_of
from edgebias.infer.cell import read_cell
from edgebias.mitigate.calibration import LEARNED_SENTENCES, drivers, items_of, read_calibration
from edgebias.mitigate.methods.conditional_steering import METHOD
from edgebias.mitigate.probes.linear_probe import Doubles
from edgebias.mitigate.reference_answers import answer_requests, read_reference_answers
from edgebias.mitigate.settings import PerplexityBudget
from edgebias.mitigate.steering.activation_condition import ActivationGate, find_activation_condition, read_states
from edgebias.mitigate.steering.calibration_build import CalibrationBuild, CrossFitted
from edgebias.mitigate.steering.controller import IDEAL
from edgebias.mitigate.steering.directions import GAIN_UNIT, Directions, contrasts, principal_component
from edgebias.mitigate.steering.gate_fitting import words_to_tell_apart
from edgebias.mitigate.steering.gated_backend import RequestGate
from edgebias.mitigate.steering.llama_build import open_build
from edgebias.mitigate.steering.vector_file import model_hint, write_control_vector
from edgebias.models.perplexity import neutral_sentences

if TYPE_CHECKING:
    from edgebias.backends.local.llama_engine import LlamaBackend

BEHAVIOUR = 15 / 32, 24 / 32
"""The blocks that get the behaviour vector, as shares of depth: 15 to 23 of 32 (its quickstart)."""


class RememberingGate:
    """A gate that is asked once about the same words: passes at several strengths ask about the same items."""

    def __init__(self, gate: RequestGate) -> None:
        self._gate = gate
        self._known: dict[tuple[int, ...], bool] = {}

    def opens(self, tokens: Sequence[int]) -> bool:
        """Return what the gate says."""
        words = tuple(tokens)
        if words not in self._known:
            self._known[words] = self._gate.opens(words)
        return self._known[words]


def write_conditional_steering(
    settings: dict[str, Any],
    *,
    items_folder: Path,
    texts: Path,
    answers: Path,
    weights: Path,
    control_vector: Path,
    condition: Path,
) -> None:
    """Find condition and behaviour on calibration items, and the texts of learning and of the guard; write both.

    Args:
        settings: of the rule ``conditional_steering``.
        items_folder: of the item tables.
        texts: neutral text, as BOLD has it.
        answers: table of reference answers.
        weights: GGUF of the build.
        control_vector: the behaviour vector at its strength, to write.
        condition: the condition, how well it tells requests apart, and what each strength did, to write.

    Raises:
        InputError: settings, items, texts or weights are unusable.
    """
    cell = read_cell(settings)
    budget: float = value_of(settings, "mitigate.perplexity_budget", PerplexityBudget)
    strengths = value_of(settings, f"mitigate.{METHOD.name}", METHOD.settings).strengths
    tables = read_calibration(items_folder, drivers(settings))
    items = items_of(tables)
    pairs = contrasts(items)
    if not pairs:
        raise InputError("mitigate.suites: no calibration item has a stereotype and an anti_stereotype option")
    sentences = neutral_sentences(texts, "fit")
    as_many = sentences[: min(len(items), LEARNED_SENTENCES)]
    words, spared = words_to_tell_apart(items, as_many, read_reference_answers(answers, "learning"))
    with open_build(cell, weights, capture_hidden=True) as build:
        wanted, unwanted = _states(build, words), _states(build, spared)
        activation, f1 = find_activation_condition(wanted, unwanted)
        directions = principal_component(build, pairs)
        judged = CalibrationBuild(
            build,
            CrossFitted(directions, [directions]),
            tables,
            sentences[LEARNED_SENTENCES:],
            answer_requests(read_reference_answers(answers, "guard")),
            cell.answer,
            RememberingGate(ActivationGate(build, activation)),
        )
        tried, gains = _choose_strength(judged, directions, strengths, budget)
    write_control_vector(directions.vector(gains), control_vector, model_hint(weights))
    shares = {
        "opens_for_calibration_items": float(np.mean([activation.met(states) for states in wanted])),
        "opens_for_neutral_text": float(np.mean([activation.met(states) for states in unwanted])),
    }
    write_json(
        {
            "block": activation.block,
            "threshold": activation.threshold,
            "above": activation.above,
            "f1": f1,
            **shares,
            "strengths": tried,
            "vector": activation.vector.tolist(),
        },
        condition,
    )


def _choose_strength(
    judged: CalibrationBuild, directions: Directions, strengths: Sequence[float], budget: float
) -> tuple[list[dict[str, float]], Doubles]:
    """Try each strength (per cent of the residual norm); return what each does, and the gains of the best one.

    The best is the one with the bias nearest the ideal among those within ``budget``, or the weakest where none is.
    """
    first, last = (round(share * len(directions.scale)) for share in BEHAVIOUR)
    profile = np.zeros(len(directions.scale))
    profile[first:last] = 1.0
    target = judged.target()
    target.apply(0.0 * profile)
    unsteered, before = target.utility().perplexities, target.full_pass()
    side = 1.0 if before.bias >= IDEAL else -1.0
    tried, candidates = [], []
    for strength in tqdm(sorted(strengths), desc="strengths", unit="pass", ascii=True):
        gains = side * strength / 100.0 / GAIN_UNIT * profile
        target.apply(gains)
        perplexities, passed = target.utility().perplexities, target.full_pass()
        within = perplexities.within(budget, unsteered)
        tried.append(
            {
                "strength": strength,
                "bias": passed.bias,
                "low": passed.low,
                "high": passed.high,
                "neutral_text": perplexities.neutral_text,
                "reference_answers": perplexities.reference_answers,
                "within_budget": float(within),
            }
        )
        candidates.append((within, abs(passed.bias - IDEAL), gains))
    allowed = [one for one in candidates if one[0]]
    chosen = min(allowed, key=lambda one: one[1]) if allowed else candidates[0]
    return tried, chosen[2]


def _states(build: LlamaBackend, texts: Sequence[str]) -> Doubles:
    """Read the mean block outputs of each text, (texts, n_layer - 1, n_embd)."""
    tokens = [build.tokenise(text, special=False) for text in texts]
    return np.stack(
        [read_states(build, one) for one in tqdm(tokens, desc="condition", unit="text", mininterval=10, ascii=True)]
    )

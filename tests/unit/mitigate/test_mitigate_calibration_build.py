"""The build under the loop: judged and guarded as it will be used, so through a gate where it has one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from edgebias.backends.base import Message, OptionRequest, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.infer.answer import AnswerSettings, answer_items
from edgebias.mitigate.steering.calibration_build import CalibrationBuild, CrossFitted
from edgebias.mitigate.steering.directions import LEARNED, from_vector
from edgebias.mitigate.steering.gate import TokenGate
from edgebias.mitigate.steering.loop import LoopTarget
from edgebias.mitigate.steering.utility import Questions
from edgebias.suites.item import items_from_table

NEVER, ALWAYS = 1.0, -1.0
"""Thresholds of a gate for which every token says 0."""

ITEMS = pd.DataFrame(
    [
        {
            "item_id": f"stereoset/intrasentence/{number:02d}",
            "suite": "stereoset",
            "category": "gender",
            "cluster": f"term {number // 2}",
            "condition": "intrasentence",
            "context": "BLANK fell.",
            "question": "",
            "options": [f"The cook {number} fell.", f"The guard {number} fell.", f"The rock {number} fell."],
            "roles": ["stereotype", "anti_stereotype", "unrelated"],
            "permutation": [0, 1, 2],
            "label": -1,
            "split": "calibration",
        }
        for number in range(12)
    ]
)
QUESTIONS = pd.DataFrame(
    [
        {
            "item_id": f"bbq/Age/{number:02d}",
            "suite": "bbq",
            "category": "Age",
            "cluster": f"template {number // 4}",
            "condition": "disambiguated" if number % 2 else "ambiguous",
            "context": "The cook met the guard." + (" The cook fell." if number % 2 else ""),
            "question": "Who fell?",
            "options": [f"The cook {number}", f"The guard {number}", "Unknown"],
            "roles": ["stereotype", "anti_stereotype", "unknown"],
            "permutation": [0, 1, 2],
            "label": 0 if number % 2 else 2,
            "split": "calibration",
        }
        for number in range(24)
    ]
)
SENTENCES = [f"Sentence number {number} says nothing." for number in range(160)]
ANSWERS = [OptionRequest(Prompt(messages=(Message("user", "Explain rain."),)), ("It falls.",))]


def plant_of(backend: LlamaBackend, threshold: float | None, questions: pd.DataFrame | None = None) -> LoopTarget:
    rng = np.random.default_rng(0)
    vectors = [rng.normal(0.0, 5.0, (backend.n_layer, backend.n_embd)).astype(np.float32) for _ in range(3)]
    for vector in vectors:
        vector[0] = 0.0
    shipped, *without = (from_vector(vector, LEARNED) for vector in vectors)
    gate = None if threshold is None else TokenGate(np.zeros(60000), threshold)
    how = AnswerSettings(seed=1, max_new_tokens=4)
    crossed = CrossFitted(shipped, without)
    return CalibrationBuild(backend, crossed, {"stereoset": ITEMS}, SENTENCES, ANSWERS, how, gate, questions).target()


def test_behind_an_open_gate_the_loop_sees_what_it_sees_without_one(backend: LlamaBackend) -> None:
    free, gated = plant_of(backend, None), plant_of(backend, ALWAYS)
    gains = np.array([0.0] + [1.0] * (backend.n_layer - 1))
    assert free.apply(gains) == gated.apply(gains)
    assert free.utility() == gated.utility()
    assert free.full_pass() == gated.full_pass()
    assert list(free.judge(6)) == list(gated.judge(6))


def test_behind_a_shut_gate_no_gain_changes_anything(backend: LlamaBackend) -> None:
    free, gated = plant_of(backend, None), plant_of(backend, NEVER)
    nothing, gains = np.zeros(backend.n_layer), np.array([0.0] + [1.0] * (backend.n_layer - 1))
    free.apply(nothing)
    plain, passed = free.utility(), free.full_pass()
    gated.apply(gains)
    assert gated.utility() == plain
    assert gated.full_pass() == passed
    free.apply(gains)
    steered = free.utility()
    assert steered.perplexities.neutral_text != plain.perplexities.neutral_text
    assert steered.perplexities.reference_answers != plain.perplexities.reference_answers


def test_the_guard_asks_the_questions_whose_text_tells_the_answer(backend: LlamaBackend) -> None:
    target = plant_of(backend, None, QUESTIONS)
    target.apply(np.zeros(backend.n_layer))
    asked = QUESTIONS[QUESTIONS["condition"] == "disambiguated"]
    items = items_from_table(asked, "bbq", "bbq")
    backend.set_control_vector(None)
    answers = answer_items(backend, items, ["likelihood"], AnswerSettings(seed=1, max_new_tokens=4))
    chosen = answers.set_index("item_id")["choice"][asked["item_id"]].to_numpy()
    expected = Questions(100.0 * float((chosen == 0).mean()), 100.0 * float((chosen == 2).mean()))
    assert target.utility().questions == expected
    target.apply(np.array([0.0] + [40.0] * (backend.n_layer - 1)))
    assert target.utility().questions != expected


def test_questions_behind_a_shut_gate_are_answered_as_without_steering(backend: LlamaBackend) -> None:
    plain, shut = plant_of(backend, None, QUESTIONS), plant_of(backend, NEVER, QUESTIONS)
    plain.apply(np.zeros(backend.n_layer))
    before = plain.utility()
    shut.apply(np.array([0.0] + [40.0] * (backend.n_layer - 1)))
    assert shut.utility() == before
    assert before.questions is not None

"""Conditional steering: the condition finds what differs, and the method acts where it is met and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import f1_score

from edgebias.backends.base import OptionRequest, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.core.errors import InputError
from edgebias.core.files import write_json
from edgebias.mitigate.base import Artefacts
from edgebias.mitigate.registry import choose
from edgebias.mitigate.steering.activation_condition import (
    ActivationCondition,
    ActivationGate,
    find_activation_condition,
    open_activation_gate,
    read_states,
    similarity,
)
from edgebias.mitigate.steering.conditional_fitting import RememberingGate
from edgebias.mitigate.steering.gate import words_of
from edgebias.mitigate.steering.vector_file import write_control_vector

REQUESTS = [
    OptionRequest(Prompt(text=""), ("The Zulu fell.", "The guard fell.")),
    OptionRequest(Prompt(text="Rain falls on the hills."), (" It is wet.",)),
]


@pytest.fixture
def capturing(tiny: Path) -> Iterator[LlamaBackend]:
    with LlamaBackend(tiny, threads=1, context=256, start_token="<|endoftext|>", capture_hidden=True) as live:
        yield live


def test_similarity_is_the_cosine_with_the_squashed_projection() -> None:
    projector = np.outer([3.0, 4.0], [3.0, 4.0]) / 25.0
    state = np.array([0.2, -0.1])
    squashed = np.tanh(projector @ state)
    expected = state @ squashed / np.linalg.norm(state) / np.linalg.norm(squashed)
    found = similarity(np.array([state, [0.0, 0.0]]), np.array([3.0, 4.0]))
    np.testing.assert_allclose(found, [expected, 0.0])


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(2, 12))
def test_no_threshold_on_any_block_tells_requests_apart_better(seed: int, wanted: int, unwanted: int) -> None:
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(wanted + unwanted, 3, 4))
    label = np.repeat([True, False], [wanted, unwanted])
    found, f1 = find_activation_condition(states[:wanted], states[wanted:])
    met = np.array([found.met(one) for one in states])
    assert f1_score(label, met) == pytest.approx(f1)
    alike = similarity(states[:, found.block], found.vector)
    for threshold in np.concatenate([alike, alike + 1e-9]):
        for side in (alike >= threshold, alike < threshold):
            assert f1_score(label, side, zero_division=0.0) <= f1 + 1e-12


def test_the_block_in_which_requests_differ_is_found() -> None:
    rng = np.random.default_rng(0)
    wanted, unwanted = rng.normal(size=(60, 5, 8)), rng.normal(size=(80, 5, 8))
    wanted[:, 3, 0] += 12.0  # a similarity does not know the sign, so on one side of 0
    found, f1 = find_activation_condition(wanted, unwanted)
    assert found.block == 3
    assert f1 > 0.97
    assert abs(found.vector[0]) > 0.95


def test_a_gate_that_remembers_asks_once_about_the_same_words() -> None:
    asked: list[tuple[int, ...]] = []

    class Odd:
        def opens(self, tokens: Sequence[int]) -> bool:
            asked.append(tuple(tokens))
            return len(tokens) % 2 == 1

    gate = RememberingGate(Odd())
    assert [gate.opens(words) for words in ([1], [2, 3], [1], [2, 3])] == [True, False, True, False]
    assert asked == [(1,), (2, 3)]


def condition_of(backend: LlamaBackend) -> ActivationCondition:
    """Met by the first request and not by the second."""
    states = [
        read_states(backend, backend.tokenise(words_of(request.prompt, request.options), special=False))
        for request in REQUESTS
    ]
    vector = (states[0] - states[1])[1]
    first, second = similarity(np.stack(states)[:, 1], vector)
    return ActivationCondition(vector, 1, float(first + second) / 2, bool(first > second))


def test_the_method_steers_where_its_condition_is_met_and_nowhere_else(
    capturing: LlamaBackend, tiny: Path, tmp_path: Path
) -> None:
    condition = condition_of(capturing)
    vector = np.random.default_rng(0).normal(0.0, 5.0, (capturing.n_layer, capturing.n_embd)).astype(np.float32)
    vector[0] = 0.0
    capturing.set_control_vector(vector)
    steered = list(capturing.score(REQUESTS))
    capturing.set_control_vector(None)
    plain = list(capturing.score(REQUESTS))
    assert steered[1] != plain[1]
    write_control_vector(vector, tmp_path / "behaviour.gguf", "llama")
    record = {"block": 1, "threshold": condition.threshold, "above": condition.above}
    write_json(record | {"vector": condition.vector.tolist()}, tmp_path / "condition.json")
    artefacts = Artefacts(tiny, tmp_path / "behaviour.gguf", tmp_path / "condition.json")
    settings = {"mitigate.conditional_steering": {"strengths": [2]}}
    found = choose("conditional_steering").wrap(capturing, settings, artefacts)
    assert list(found.backend.score(REQUESTS)) == [steered[0], plain[1]]
    found.count("bbq")
    assert found.cost([], REQUESTS)["gate_opened"] == {"bbq": 0.5}


def test_a_condition_of_another_model_and_a_request_without_words(capturing: LlamaBackend, tmp_path: Path) -> None:
    write_json({"block": 1, "threshold": 0.0, "above": True, "vector": [1.0, 2.0]}, tmp_path / "condition.json")
    with pytest.raises(InputError, match=r"condition\.json: is no condition of this model"):
        open_activation_gate(tmp_path / "condition.json", capturing)
    assert not ActivationGate(capturing, ActivationCondition(np.ones(capturing.n_embd), 0, -2.0, True)).opens([])

"""Steering a live llama.cpp model: logits change, clearing restores them, and directions do what they promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from edgebias.backends.base import OptionRequest, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.mitigate.base import Steering
from edgebias.mitigate.speed import paired_speed
from edgebias.mitigate.steering.apply import steer
from edgebias.mitigate.steering.directions import Contrast, Directions, difference_of_means, gradient
from edgebias.mitigate.steering.steered_model import SteeredModel
from edgebias.mitigate.steering.vector_file import model_hint, write_control_vector

START = "<|endoftext|>"
PAIRS = [Contrast("The cook met the guard.\nAnswer:", " the cook", " the guard"), Contrast("Who fell?", " he", " she")]


@pytest.fixture
def backend(tiny: Path) -> Iterator[LlamaBackend]:
    with LlamaBackend(tiny, threads=1, context=256, start_token=START, capture_hidden=True) as live:
        yield live


def gaps(backend: LlamaBackend) -> list[float]:
    requests = [OptionRequest(Prompt(text=pair.prompt), (pair.stereotype, pair.anti_stereotype)) for pair in PAIRS]
    found = []
    for scores in backend.score(requests):
        first, second = (total / n for total, n in zip(scores.logprobs, scores.n_tokens, strict=True))
        found.append(first - second)
    return found


def test_a_vector_changes_the_scores_and_clearing_it_restores_them_bit_for_bit(backend: LlamaBackend) -> None:
    before = gaps(backend)
    backend.set_control_vector(difference_of_means(backend, PAIRS).vector(np.array([0.0, 50.0, 50.0])))
    assert all(abs(new - old) > 1e-6 for new, old in zip(gaps(backend), before, strict=True))
    backend.set_control_vector(None)
    assert gaps(backend) == before


def test_the_exported_file_steers_exactly_as_the_vector_in_memory(backend: LlamaBackend, tmp_path: Path) -> None:
    vector = difference_of_means(backend, PAIRS).vector(np.array([0.0, 20.0, -30.0]))
    backend.set_control_vector(vector)
    in_memory = gaps(backend)
    backend.set_control_vector(None)
    write_control_vector(vector, tmp_path / "vector.gguf", "llama")
    np.testing.assert_array_equal(steer(backend, tmp_path / "vector.gguf", Steering()), vector)
    assert gaps(backend) == in_memory


def test_the_speed_with_a_vector_comes_with_that_without_and_their_ratio(backend: LlamaBackend) -> None:
    vector = np.zeros((backend.n_layer, backend.n_embd), dtype=np.float32)
    record = paired_speed(backend, vector, [f"Sentence number {number}." for number in range(6)])
    for name in ("prefill_ms_per_token", "generation_ms_per_token"):
        for value in (record[name], record[f"{name}_without"], record[f"{name}_ratio"]):
            assert value is None or value > 0  # None: the model ended its text at once


def test_the_model_names_its_architecture(tiny: Path) -> None:
    assert model_hint(tiny) == "llama"


def test_the_gradient_is_the_slope_that_llama_cpp_shows(backend: LlamaBackend, tiny: Path) -> None:
    """Central differences through llama.cpp are the oracle: no direction lowers the mean gap faster."""
    found = gradient(SteeredModel(tiny, START, ""), PAIRS)
    random = np.random.default_rng(0).normal(size=found.unit.shape).astype(np.float32)
    other = random / np.linalg.norm(random, axis=1, keepdims=True)
    other[0] = 0.0

    def slope(unit: np.ndarray, layer: int) -> float:
        gains = np.zeros(len(unit))
        ends = []
        for gain in (5.0, -5.0):
            gains[layer] = gain
            backend.set_control_vector(Directions(unit, found.scale, "test").vector(gains))
            ends.append(float(np.mean(gaps(backend))))
        return (ends[0] - ends[1]) / 10.0

    for layer in (1, 2):
        steepest, sideways = slope(found.unit, layer), slope(other, layer)
        assert steepest < 0
        cosine = float(found.unit[layer] @ other[layer])
        assert sideways == pytest.approx(steepest * cosine, abs=0.05 * abs(steepest))


def test_transformers_and_llama_cpp_steer_alike(backend: LlamaBackend, tiny: Path) -> None:
    """The same vectors move every gap by the same amount: what is learned in one holds in the other."""
    vector = np.random.default_rng(3).normal(scale=0.3, size=(backend.n_layer, backend.n_embd)).astype(np.float32)
    vector[0] = 0.0
    model = SteeredModel(tiny, START, "")
    with torch.no_grad():
        model.vector.copy_(torch.from_numpy(vector))
        means, _ = model.score([model.ask(pair.prompt, (pair.stereotype, pair.anti_stereotype)) for pair in PAIRS])
    before = gaps(backend)
    backend.set_control_vector(vector)
    after = gaps(backend)
    steered = [float(mean[0] - mean[1]) for mean in means]
    assert all(abs(new - old) > 0.01 for new, old in zip(after, before, strict=True))
    assert steered == pytest.approx(after, abs=0.01)  # llama.cpp's cache holds keys and values in 16 bits

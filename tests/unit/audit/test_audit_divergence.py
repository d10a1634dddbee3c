"""Probabilities in 16 bits, and the divergence that is computed from them."""

from __future__ import annotations

import numpy as np
import pytest

from edgebias.audit.divergence import decode, divergence, encode


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def test_a_divergence_of_a_thousandth_of_a_nat_survives_16_bits() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(0, 3, (20, 5000))
    reference, build = log_softmax(logits), log_softmax(logits + random.normal(0, 0.05, logits.shape))
    exact = np.sum(np.exp(reference) * (reference - build), axis=1)
    assert exact.mean() < 2e-3
    assert divergence(decode(encode(reference)), build) == pytest.approx(exact, abs=5e-5)
    assert divergence(decode(encode(reference)), reference).max() < 1e-6


def test_a_probability_by_hand() -> None:
    """Of 1/2 and 1/2 against 3/4 and 1/4."""
    build = np.log(np.array([[0.75, 0.25]], dtype=np.float32))
    found = divergence(decode(encode(np.log(np.array([[0.5, 0.5]], dtype=np.float32)))), build)
    assert found == pytest.approx(0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25), abs=1e-4)


def test_what_is_hardly_possible_counts_as_that() -> None:
    logprobs = np.array([[-1e-9, -60.0]], dtype=np.float32)
    assert decode(encode(logprobs))[0] == pytest.approx([0.0, -24.0], abs=1e-6)

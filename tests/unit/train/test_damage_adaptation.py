"""Singular values of features, and what is fitted to frozen features."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from edgebias.train.damage.adaptation import linear, network, spectrum_loss
from edgebias.train.damage.images import Images
from edgebias.train.damage.network import features_of, one_thread, own_answers, pretrain, untrained
from edgebias.train.damage.spectrum import effective_rank, largest_share, singular_shares


@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_effective_rank_of_k_equal_directions_is_k(k: int) -> None:
    """Centred columns that are orthogonal and of one length, beside columns of nothing."""
    waves = np.array([[math.cos(2 * math.pi * (j + 1) * n / 64) for n in range(64)] for j in range(k)]).T
    features = np.column_stack([waves, np.zeros((64, 3))])
    shares = singular_shares(features + 7.0)
    assert effective_rank(shares) == pytest.approx(k)
    assert largest_share(shares) == pytest.approx(1 / k)


def test_unequal_directions_have_the_rank_of_their_entropy() -> None:
    """Shares of 3/4 and 1/4 have an entropy of 0.5623 nats."""
    features = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert effective_rank(singular_shares(features)) == pytest.approx(math.exp(0.5623351), rel=1e-6)


def test_constant_features_have_no_rank() -> None:
    assert math.isnan(effective_rank(singular_shares(np.ones((8, 3)))))
    assert math.isnan(largest_share(singular_shares(np.ones((8, 3)))))


def test_the_regulariser_of_orthogonal_features_is_known() -> None:
    """Unmoved features are consistent; two columns of covariance 0 and equal singular values leave -1/2."""
    features = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert float(spectrum_loss(features, features)) == pytest.approx(-0.5)


def test_the_regulariser_counts_what_moves_and_what_goes_together() -> None:
    """Turned round, unit rows differ by 2 in each of their values: (2 x 0.707)^2 = 2. Equal columns covary by 4/3."""
    features = torch.tensor([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]])
    values = torch.linalg.svdvals(features)
    dominance = float((values / values.sum()).mean())
    covariance = 2 * (4 / 3) ** 2 / 2
    assert float(spectrum_loss(-features, features)) == pytest.approx(2.0 + covariance - dominance, rel=1e-5)


@pytest.mark.parametrize("weight", [None, 0.0, 1.0])
def test_separable_features_are_read_without_a_fault(weight: float | None) -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(4), 25)
    features = np.eye(8)[labels] + 0.01 * rng.normal(size=(100, 8))
    with one_thread():
        found = linear(features, labels) if weight is None else network(features, labels, 3, weight)
        assert (found.answers(features) == labels).all()
        assert found.read(features).shape == features.shape


def test_the_regulariser_lowers_its_own_loss() -> None:
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(4), 25)
    features = np.eye(8)[labels] + 0.5 * rng.normal(size=(100, 8))
    standard = torch.from_numpy((features - features.mean(axis=0)) / features.std(axis=0))
    with one_thread():
        plain, shaped = (network(features, labels, 3, weight).read(features) for weight in (0.0, 1.0))
    losses = [float(spectrum_loss(torch.from_numpy(moved), standard)) for moved in (plain, shaped)]
    assert losses[1] < losses[0]


def test_a_column_that_never_varies_is_no_fault() -> None:
    labels = np.repeat(np.arange(2), 10)
    features = np.column_stack([labels, np.ones(20)]).astype(np.float64)
    assert (linear(features, labels).answers(features) == labels).all()
    assert np.isfinite(linear(features, labels).answers(features + 1e6)).all()


@pytest.mark.slow
def test_a_network_learns_the_labels_that_it_is_given(mnist: Images) -> None:
    """Every label one too high: a faultless network is wrong about every digit, and right about the labels."""
    some = mnist.at(np.arange(0, 5000, 10))
    wrong = Images(some.pixels, (some.labels + 1) % 10)
    with one_thread():
        found = untrained(10, 7)
        pretrain(found, wrong, 40, 8)
        answers = own_answers(found, features_of(found, some.pixels))
    assert (answers == wrong.labels).all()


@pytest.mark.slow
def test_classes_without_weight_are_not_learned(mnist: Images) -> None:
    some = mnist.at(np.arange(0, 5000, 10))
    weights = np.array([1.0] * 5 + [0.0] * 5)
    with one_thread():
        found = untrained(10, 7)
        pretrain(found, some, 40, 8, weights)
        answers = own_answers(found, features_of(found, some.pixels))
    assert (answers[some.labels < 5] == some.labels[some.labels < 5]).all()
    assert (answers < 5).all()

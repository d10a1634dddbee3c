"""Adaptations of frozen features to clean images: a linear probe, a small network, and one whose spectrum is shaped.

The last is the tuning of noisy models by Chen et al. (arXiv:2309.17002, section 4): a small network on frozen features
whose outputs are held near the features (consistency), uncorrelated (covariance), and dominated by few directions
(dominant singular values). As the authors' code has it, without the second, augmented view of each image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgebias.core.arrays import FloatArray, IntArray

STEPS, RATE, DECAY = 200, 1e-3, 1e-2
WEIGHT = 1.0
"""Of each term of the regulariser beside the cross-entropy: the scale of the terms, tuned to nothing."""

LARGEST = 5
"""Singular values that count as dominant."""


@dataclass(frozen=True)
class Readout:
    """What was fitted.

    Attributes:
        answers: features (n, d) to classes (n,).
        read: features (n, d) to what the last layer reads (n, d).
    """

    answers: Callable[[FloatArray], IntArray]
    read: Callable[[FloatArray], FloatArray]


def linear(features: FloatArray, labels: IntArray) -> Readout:
    """Fit a multinomial logistic regression (L2, C = 1) on standardised features."""
    from sklearn.linear_model import LogisticRegression  # takes a second to import

    standard = _Standard.of(features)
    fitted = LogisticRegression(C=1.0, max_iter=500).fit(standard(features), labels)
    return Readout(lambda found: np.asarray(fitted.predict(standard(found)), dtype=np.int64), lambda found: found)


def network(features: FloatArray, labels: IntArray, seed: int, weight: float) -> Readout:
    """Fit two layers of the width of the features and a linear one, by AdamW on all images at once.

    Args:
        features: (n, d), frozen.
        labels: (n,).
        seed: of the first weights.
        weight: of the regulariser; 0 is none.
    """
    standard = _Standard.of(features)
    torch.manual_seed(seed)
    width = features.shape[1]
    body = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
    head = nn.Linear(width, int(labels.max()) + 1)
    frozen, wanted = torch.from_numpy(standard(features).astype(np.float32)), torch.from_numpy(labels)
    optimiser = torch.optim.AdamW([*body.parameters(), *head.parameters()], lr=RATE, weight_decay=DECAY)
    for _ in range(STEPS):
        optimiser.zero_grad()
        moved = body(frozen)
        loss = functional.cross_entropy(head(moved), wanted)
        if weight:
            loss = loss + weight * spectrum_loss(moved, frozen)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def read(found: FloatArray) -> FloatArray:
        with torch.no_grad():
            return np.asarray(body(torch.from_numpy(standard(found).astype(np.float32))).numpy(), dtype=np.float64)

    def answers(found: FloatArray) -> IntArray:
        with torch.no_grad():
            logits = head(torch.from_numpy(read(found).astype(np.float32)))
        return np.asarray(logits.argmax(dim=1).numpy(), dtype=np.int64)

    return Readout(answers, read)


def spectrum_loss(moved: torch.Tensor, frozen: torch.Tensor) -> torch.Tensor:
    """Return consistency + covariance - dominance of what a network makes of frozen features (arXiv:2309.17002).

    Args:
        moved: (n, d), outputs of the network.
        frozen: (n, d), its inputs.

    Returns:
        The mean squared difference of rows scaled to length 1, plus the squared covariances of different columns over
        d, less the mean of the five largest singular values as shares of all.
    """
    consistency = functional.mse_loss(functional.normalize(moved, dim=1), functional.normalize(frozen, dim=1))
    centred = moved - moved.mean(dim=0)
    covariance = centred.T @ centred / (len(moved) - 1)
    apart = (covariance - torch.diag(torch.diagonal(covariance))).pow(2).sum() / moved.shape[1]
    values = torch.linalg.svdvals(moved)
    loss: torch.Tensor = consistency + apart - (values / values.sum())[:LARGEST].mean()
    return loss


@dataclass(frozen=True)
class _Standard:
    """Centres and scales columns as in the images that were fitted to; one that never varies stays 0 there."""

    mean: FloatArray
    scale: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> _Standard:
        scale = features.std(axis=0)
        return cls(features.mean(axis=0), np.where(scale > 1e-9, scale, 1.0))

    def __call__(self, features: FloatArray) -> FloatArray:
        return (features - self.mean) / self.scale

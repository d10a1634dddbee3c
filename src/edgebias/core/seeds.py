"""Seeds that depend on what is estimated and on nothing else."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *names: str) -> np.random.Generator:
    """Return a generator for one estimate.

    ``seed`` and the names are hashed, so that order and neighbours cannot matter.
    """
    text = "\x1f".join((str(seed), *names))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))

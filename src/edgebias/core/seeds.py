"""Seeds by hashing names: they depend on what is drawn or estimated, and on nothing else.

``seed`` and the names are hashed together (SHA-256), so that order and neighbours cannot matter: no suite, category or
cluster ever shifts the draws of another.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *names: str) -> int:
    """Derive a 64-bit number for one draw, the same on every machine."""
    return int.from_bytes(_hash(seed, names)[:8], "big")


def generator(seed: int, *names: str) -> np.random.Generator:
    """Make the generator of one estimate, from 128 bits of the hash."""
    return np.random.default_rng(int.from_bytes(_hash(seed, names)[:16], "big"))


def _hash(seed: int, names: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\x1f".join((str(seed), *names)).encode("utf-8")).digest()

"""Seeds by hashing names, so that one suite, category or cluster never shifts the draws of another."""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: str) -> int:
    """Return a 64-bit number that depends on ``seed`` and ``names`` alone (SHA-256), the same on every machine."""
    text = "\x1f".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")

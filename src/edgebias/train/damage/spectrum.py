"""What singular values tell of features."""

from __future__ import annotations

import math

import numpy as np
import torch

from edgebias.core.arrays import FloatArray


def singular_shares(features: FloatArray) -> FloatArray:
    """Return the singular values of centred features (n, d) as shares of their sum, the largest first.

    Empty where the features are constant.
    """
    # torch keeps to one thread where it is told to; numpy would not, and adds up in another order on more
    values = torch.linalg.svdvals(torch.from_numpy(features - features.mean(axis=0))).numpy()
    total = values.sum()
    return np.asarray(values / total) if total > 1e-12 else np.zeros(0)


def effective_rank(shares: FloatArray) -> float:
    """Return the exponential of the entropy of `singular_shares` (Roy and Vetterli 2007); NaN of constant features.

    It is k where k directions carry the same share and no other carries any.
    """
    present = shares[shares > 0]
    return float(np.exp(-(present * np.log(present)).sum())) if len(present) else math.nan


def largest_share(shares: FloatArray) -> float:
    """Return the largest of `singular_shares`; NaN of constant features."""
    return float(shares[0]) if len(shares) else math.nan

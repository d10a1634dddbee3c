"""A linear probe on contrast pairs: which of a pair's two representations is the anti-stereotype-consistent one?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

STRENGTH = 1.0
"""scikit-learn's ``C``, at its default: fixed in advance, so that nothing is chosen on the pairs that test a probe."""


def probe_normal(differences: Doubles) -> Doubles:
    """Return the normal of an L2-regularised logistic regression without intercept on paired differences.

    Its length says nothing.

    Each difference is taken in both signs, with the label that goes with it, so that no intercept could help. All are
    first divided by the root of their mean squared length: the strength of regularisation then means the same in a
    block whose outputs are long and in one whose outputs are short.

    Args:
        differences: (pairs, width), anti-stereotype less stereotype.

    Returns:
        (width,), pointing to the anti-stereotype-consistent side; 0 where all differences are 0.
    """
    length = float(np.sqrt(np.mean(np.sum(differences**2, axis=1))))
    if length == 0.0:
        return np.zeros(differences.shape[1])

    from sklearn.linear_model import LogisticRegression  # takes a second to import

    scaled = differences / length
    model = LogisticRegression(C=STRENGTH, fit_intercept=False, tol=1e-8, max_iter=1000)
    model.fit(np.concatenate([scaled, -scaled]), np.repeat([1, 0], len(scaled)))
    normal: Doubles = model.coef_[0]
    return normal

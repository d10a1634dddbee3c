"""How often the 95 % intervals of variance shares hold the truth, by simulation.

    python simulations/variance_share_coverage.py                        15, 20 and 30 items, 1,000 studies each
    python simulations/variance_share_coverage.py --studies 4000 --items 25

Items answer at two levels of one factor and two of another. The truth has a variance of 1 between items, of 0.04 in
what all items share, and of 0.5 in what items have of their own at each level.
"""

from __future__ import annotations

import argparse

import numpy as np
from tqdm import tqdm

from edgebias.stats.variance_shares import ITEM, ITEM_INTERACTIONS, variance_shares

FACTORS = ("option order", "template")
BETWEEN, COMMON, OWN = 1.0, 0.04, 0.5
TRUTH = {
    name: part / (BETWEEN + COMMON + OWN)
    for name, part in ((ITEM, BETWEEN), (FACTORS[0], COMMON), (ITEM_INTERACTIONS, OWN))
}


def coverage(items: int, studies: int, rng: np.random.Generator) -> dict[str, float]:
    """Share of studies whose interval holds the true share, by source."""
    held = dict.fromkeys(TRUTH, 0)
    sign = np.array([1.0, -1.0])[None, :, None]
    for _ in tqdm(range(studies), f"{items} items", mininterval=5, disable=None):
        effect = np.sqrt(COMMON) + np.sqrt(OWN) * rng.normal(size=(items, 1, 1))
        means = np.sqrt(BETWEEN) * rng.normal(size=(items, 1, 1)) + effect * sign + np.zeros((items, 2, 2))
        for share in variance_shares(means, np.zeros_like(means), FACTORS, confidence=0.95):
            if share.factor in TRUTH:
                held[share.factor] += share.first_order.low <= TRUTH[share.factor] <= share.first_order.high
    return {name: count / studies for name, count in held.items()}


def main() -> None:
    """Print one line for each number of items."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--items", type=int, nargs="+", default=[15, 20, 30])
    parser.add_argument("--seed", type=int, default=20250217)
    options = parser.parse_args()
    print(f"{'items':>5}  " + "  ".join(f"{name} ({truth:.3f})" for name, truth in TRUTH.items()))
    for items in options.items:
        found = coverage(items, options.studies, np.random.default_rng(options.seed))
        print(f"{items:>5}  " + "  ".join(f"{100 * value:.1f} %" for value in found.values()))


if __name__ == "__main__":
    main()

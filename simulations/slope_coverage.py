"""How often the 95 % intervals of both over-time slopes hold the truth, by simulation.

    python simulations/slope_coverage.py                       3, 10 and 30 conversations of 32 rounds, 500 studies each
    python simulations/slope_coverage.py --studies 2000 --rounds 100

``slope`` (GEE) estimates the slope of the average over conversations, ``slope_mixed`` that of one conversation. They
are different numbers where conversations differ, and each is judged by its own truth: the first is the logistic fit to
the probabilities averaged over the intercepts, the second the slope that the data were drawn with.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from tqdm import tqdm

from edgebias.core.arrays import BoolArray, FloatArray
from edgebias.stats.mixed import mixed_trend
from edgebias.stats.trend import trend

CENTRE = 0.4
"""Log-odds of a stereotypical answer in the first round of the average conversation."""


@dataclass(frozen=True)
class Law:
    """How conversations answer: a common slope, intercepts that spread, and answers that repeat the one before."""

    name: str
    slope: float
    spread: float
    repeats: float = 0.0

    def draw(self, rng: np.random.Generator, conversations: int, rounds: int) -> BoolArray:
        """Answers of shape (conversations, rounds)."""
        intercepts = rng.normal(CENTRE, self.spread, (conversations, 1))
        hits = rng.random((conversations, rounds)) < expit(intercepts + self.slope * np.log(np.arange(1, rounds + 1)))
        for number in range(1, rounds):
            again = rng.random(conversations) < self.repeats
            hits[again, number] = hits[again, number - 1]
        return np.asarray(hits)

    def average_slope(self, rounds: int) -> float:
        """The slope that a logistic fit to the averaged probabilities has."""
        x = np.log(np.arange(1, rounds + 1))
        points, weights = np.polynomial.hermite_e.hermegauss(60)
        chance = expit(CENTRE + self.spread * points + self.slope * x[:, None]) @ (weights / math.sqrt(2 * math.pi))

        def score(slope: float) -> float:
            level = brentq(lambda value: float(np.sum(chance - expit(value + slope * x))), -50, 50)
            return float(x @ (chance - expit(level + slope * x)))

        return float(brentq(score, -5, 5))


LAWS = (
    Law("equal conversations", -0.3, 0.0),
    Law("spread 0.8", -0.3, 0.8),
    Law("spread 1.6", -0.3, 1.6),
    Law("spread 0.8, no slope, half of the answers repeat the last", 0.0, 0.8, repeats=0.5),
)


def coverage(law: Law, *, conversations: int, rounds: int, studies: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Shares of studies whose interval of ``slope`` and of ``slope_mixed`` holds its truth, and their mean widths.

    An undefined interval is no miss and no hit: shares are of the defined ones.
    """
    truths = (law.average_slope(rounds), law.slope)
    at = np.tile(np.arange(1, rounds + 1), conversations)
    groups = np.repeat([f"{number:04d}" for number in range(conversations)], rounds)
    limits = []
    for study in range(studies):
        rng = np.random.default_rng((seed, conversations, study))
        hits = law.draw(rng, conversations, rounds).ravel()
        average = trend(at, hits, groups, serial=False, resamples=1, confidence=0.95, rng=rng)
        mixed = mixed_trend(at, hits, groups, serial=False, confidence=0.95)
        limits.append([(average.low, average.high), (mixed.low, mixed.high)])
    low, high = np.moveaxis(np.array(limits), 2, 0)
    inside = np.where(np.isfinite(low), (low <= truths) & (truths <= high), np.nan)
    return np.nanmean(inside, axis=0), np.nanmean(high - low, axis=0)


def main() -> None:
    """Print one row per law and number of conversations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=32)
    parser.add_argument("--conversations", type=int, nargs="+", default=[3, 10, 30])
    parser.add_argument("--seed", type=int, default=20250217)
    options = parser.parse_args()
    print(f"95 % intervals, {options.studies} studies, {options.rounds} rounds a conversation: coverage (mean width)")
    print(f"{'law':60} {'conversations':>13} {'slope':>16} {'slope_mixed':>16}")
    for law in LAWS:
        for conversations in tqdm(options.conversations, mininterval=5, ascii=True, leave=False):
            shares, widths = coverage(
                law, conversations=conversations, rounds=options.rounds, studies=options.studies, seed=options.seed
            )
            cells = (f"{100 * share:7.1f}% ({width:5.2f})" for share, width in zip(shares, widths, strict=True))
            tqdm.write(f"{law.name:60} {conversations:13} {' '.join(cells)}")


if __name__ == "__main__":
    main()

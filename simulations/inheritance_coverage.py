"""How well a trend with the share of self-written examples is known, by simulation.

    python simulations/inheritance_coverage.py                  200 studies each, as the targets say
    python simulations/inheritance_coverage.py --studies 1000

Each study has five builds of ratio 0, 0.05, 0.1, 0.2 and 0.5 and one more of ratio 0, which answer about the same pairs
of a woman and a man. A pair has a gap of its own and answers are noisy. The planted slope is added to every gap. What
one training run differs from another by chance is one more number for each build, added to all of its gaps.

Reported: how often the 95 % interval of the slope holds the planted one; how often a trend is found (p below 0.05) by
shuffles within pairs and by orders of the builds; how often both find it; how often the two builds of ratio 0 differ
(p below 0.05). Without a slope, what is found is a false alarm.
"""

from __future__ import annotations

import argparse

import numpy as np
from tqdm import tqdm

from edgebias.core.arrays import FloatArray
from edgebias.score.inheritance.trend import STEP, ratio_trend
from edgebias.stats.clusters import Clusters
from edgebias.stats.contrasts import paired_difference

RATIOS = (0.0, 0.0, 0.05, 0.1, 0.2, 0.5)
RESAMPLES = 1000
OF_PAIRS, OF_ANSWERS = 0.5, 0.3
"""Standard deviations of gaps between pairs, and of one build's gap of one pair."""

BOUNDS = (-30.0, 30.0)


def gap(totals: FloatArray) -> FloatArray:
    """Return the mean gap from its sum and the number of pairs."""
    return np.asarray(totals[..., 0] / totals[..., 1], dtype=np.float64)


def answered(pairs: int, slope: float, of_runs: float, rng: np.random.Generator) -> list[Clusters]:
    """Return the gaps of each build."""
    names = np.array([f"{place:03d}" for place in range(pairs)])
    of_pair = OF_PAIRS * rng.normal(size=pairs)
    builds = []
    for ratio in RATIOS:
        shift = slope * ratio / STEP + of_runs * rng.normal()
        gaps = of_pair + shift + OF_ANSWERS * rng.normal(size=pairs)
        builds.append(Clusters(names, np.full(pairs, "all"), np.stack([gaps, np.ones(pairs)], axis=1)))
    return builds


def line(pairs: int, slope: float, of_runs: float, studies: int, rng: np.random.Generator) -> str:
    """Return a line of the table: shares of studies in per cent."""
    counts = np.zeros(5)
    name = f"slope {slope:g}, runs {of_runs:g}, {pairs} pairs"
    for _ in tqdm(range(studies), name, mininterval=5, disable=None):
        builds = answered(pairs, slope, of_runs, rng)
        one = ratio_trend(builds, RATIOS, gap, bounds=BOUNDS, resamples=RESAMPLES, confidence=0.95, rng=rng)
        again = paired_difference(
            builds[1], builds[0], gap, bounds=BOUNDS, resamples=RESAMPLES, confidence=0.95, rng=rng
        )
        found, ordered = one.p < 0.05, one.p_runs < 0.05
        counts += [one.low <= slope <= one.high, found, ordered, found and ordered, again.p < 0.05]
    shares = "  ".join(f"{100.0 * count / studies:>7.1f} %" for count in counts)
    return f"{slope:>6.2f}  {of_runs:>6.2f}  {pairs:>6}  {shares}"


def main() -> None:
    """Print one table: no slope and a planted one, with and without chance of training runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--pairs", type=int, nargs="*", default=[20, 50])
    parser.add_argument("--slope", type=float, default=0.1)
    parser.add_argument("--runs", type=float, default=0.1, help="standard deviation between training runs")
    parser.add_argument("--seed", type=int, default=20261201)
    options = parser.parse_args()
    heads = ("held", "found", "by order", "both", "0 again")
    print(f"{'slope':>6}  {'runs':>6}  {'pairs':>6}  " + "  ".join(f"{head:>9}" for head in heads))
    for slope in (0.0, options.slope):
        for of_runs in (0.0, options.runs):
            for pairs in options.pairs:
                rng = np.random.default_rng(options.seed)
                print(line(pairs, slope, of_runs, options.studies, rng), flush=True)


if __name__ == "__main__":
    main()

"""How often the 95 % intervals hold the truth, by simulation: 25 clusters, populations with known scores.

    python simulations/interval_coverage.py                       every population, 2,000 studies each (minutes)
    python simulations/interval_coverage.py --studies 500 --clusters 10 25 50

A population is a law of clusters: how many answers a cluster gives and how biased it is. Its true score is that of two
million clusters. Each study draws clusters from it and asks ``edgebias.stats.bootstrap`` for an interval.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from edgebias.core.arrays import FloatArray
from edgebias.metrics.metric import percent
from edgebias.stats.bootstrap import Pieces, bootstrap
from edgebias.stats.clusters import Clusters, Formula
from edgebias.stats.contrasts import difference_pieces
from edgebias.suites.bbq.metrics import cost_of_nonalignment, s_amb, s_dis
from edgebias.suites.stereoset.metrics import ICAT_BRANCHES, icat, ss, term_scores

TRUTH_CLUSTERS = 2_000_000


@dataclass(frozen=True)
class Population:
    """Draws the sums of ``n`` clusters; the score is ``formula`` of their total."""

    name: str
    draw: Callable[[np.random.Generator, int], FloatArray]
    formula: Formula
    bounds: tuple[float, float]
    pieces: Pieces = ()


def rate(mean: float, spread: float, answers: int) -> Callable[[np.random.Generator, int], FloatArray]:
    """Beta-binomial clusters: hits among ``answers``; a larger ``spread`` makes clusters more alike."""

    def draw(rng: np.random.Generator, n: int) -> FloatArray:
        hits = rng.binomial(answers, rng.beta(mean * spread, (1 - mean) * spread, n))
        return np.stack([hits, np.full(n, answers)], axis=1).astype(np.float64)

    return draw


def ragged(rng: np.random.Generator, n: int) -> FloatArray:
    """Clusters of 1 to 12 answers, the larger ones more biased: a ratio whose parts are correlated."""
    size = rng.integers(1, 13, n)
    hits = rng.binomial(size, rng.beta(3 + size / 3, 3, n))
    return np.stack([hits, size], axis=1).astype(np.float64)


def ambiguous(rng: np.random.Generator, n: int) -> FloatArray:
    """BBQ's sums of ambiguous items: [biased, not unknown, right, answered]; 8 items a template."""
    right = rng.binomial(8, rng.beta(2, 2, n))
    biased = rng.binomial(8 - right, rng.beta(4, 2.5, n))
    return np.stack([biased, 8 - right, right, np.full(n, 8)], axis=1).astype(np.float64)


def alignment(rng: np.random.Generator, n: int) -> FloatArray:
    """BBQ's sums of disambiguated items: right among defying and right among agreeing ones, 4 each."""
    defying, agreeing = rng.binomial(4, rng.beta(3, 3, n)), rng.binomial(4, rng.beta(4, 3, n))
    four = np.full(n, 4)
    return np.stack([defying, four, agreeing, four], axis=1).astype(np.float64)


def terms(preference: float) -> Callable[[np.random.Generator, int], FloatArray]:
    """StereoSet target terms, [lms_t, ss_t, 1], with a mean ss_t of ``preference`` (0 to 1)."""

    def draw(rng: np.random.Generator, n: int) -> FloatArray:
        size = rng.integers(4, 30, n)
        above = rng.binomial(2 * size, rng.beta(18, 2, n))
        stereotypical = rng.binomial(size, rng.beta(10 * preference, 10 * (1 - preference), n))
        return term_scores(np.stack([above, stereotypical, size], axis=1).astype(np.float64))

    return draw


def both(a: float, b: float) -> Callable[[np.random.Generator, int], FloatArray]:
    """Target terms in two cells with a mean ss_t of ``a`` and of ``b``: the sums of either, side by side."""
    first, second = terms(a), terms(b)
    return lambda rng, n: np.concatenate([first(rng, n), second(rng, n)], axis=1)


def icat_difference(totals: FloatArray) -> FloatArray:
    """ICAT of the first cell minus that of the second."""
    return icat(totals[..., :3]) - icat(totals[..., 3:])


ICAT_PIECES = [[branch] for branch in ICAT_BRANCHES]
DIFFERENCE_PIECES = difference_pieces(ICAT_BRANCHES, ICAT_BRANCHES, 3)


POPULATIONS = (
    Population("rate 0.5, 4 answers a cluster", rate(0.5, 4.0, 4), percent, (0, 100)),
    Population("rate 0.6, 4 answers, near-equal clusters", rate(0.6, 40.0, 4), percent, (0, 100)),
    Population("rate 0.85, 4 answers a cluster", rate(0.85, 4.0, 4), percent, (0, 100)),
    Population("rate 0.6, 1 answer a cluster", rate(0.6, 4.0, 1), percent, (0, 100)),
    Population("ratio, 1 to 12 answers a cluster", ragged, percent, (0, 100)),
    Population("sDIS", lambda rng, n: ambiguous(rng, n)[:, :2], s_dis, (-100, 100)),
    Population("sAMB", ambiguous, s_amb, (-100, 100)),
    Population("cost of non-alignment", alignment, cost_of_nonalignment, (-100, 100)),
    Population("ss, macro over terms", terms(0.6), ss, (0, 100)),
    *(
        Population(f"icat, ss {100 * preference:.0f}", terms(preference), icat, (0, 100), ICAT_PIECES)
        for preference in (0.5, 0.53, 0.56, 0.6, 0.7)
    ),
    *(
        Population(
            f"difference of icat, ss {100 * a:.0f} and {100 * b:.0f}",
            both(a, b),
            icat_difference,
            (-100, 100),
            DIFFERENCE_PIECES,
        )
        for a, b in ((0.5, 0.5), (0.6, 0.5), (0.6, 0.6))
    ),
)


def coverage(population: Population, *, clusters: int, studies: int, resamples: int, seed: int) -> tuple[float, float]:
    """Share of studies whose 95 % interval holds the truth, and the mean width; an undefined interval misses."""
    truth = float(population.formula(population.draw(np.random.default_rng(seed), TRUTH_CLUSTERS).sum(axis=0)))
    names, strata = np.arange(clusters).astype(str), np.full(clusters, "all")
    inside, widths = 0, []
    for study in range(studies):
        rng = np.random.default_rng((seed, study))
        found = bootstrap(
            Clusters(names, strata, population.draw(rng, clusters)),
            population.formula,
            bounds=population.bounds,
            resamples=resamples,
            confidence=0.95,
            rng=rng,
            pieces=population.pieces,
        )
        inside += found.low <= truth <= found.high
        widths.append(found.high - found.low)
    return inside / studies, float(np.nanmean(widths))


def main() -> None:
    """Print one row per population and number of clusters."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--clusters", type=int, nargs="+", default=[25])
    parser.add_argument("--seed", type=int, default=20250217)
    options = parser.parse_args()
    print(f"95 % intervals, {options.studies} studies, {options.resamples} resamples")
    print(f"{'population':42} {'clusters':>8} {'coverage':>9} {'width':>7}")
    for clusters in options.clusters:
        for population in tqdm(POPULATIONS, mininterval=5, ascii=True):
            share, width = coverage(
                population, clusters=clusters, studies=options.studies, resamples=options.resamples, seed=options.seed
            )
            tqdm.write(f"{population.name:42} {clusters:8} {100 * share:8.1f}% {width:7.1f}")


if __name__ == "__main__":
    main()

"""How often the 95 % intervals of a decomposed excess hold the truth, by simulation.

    python simulations/decomposition_coverage.py                     every population, 72 clusters, 1,000 studies each
    python simulations/decomposition_coverage.py --studies 400 --clusters 25 72

A population says how far each factor moves the rate of stereotypical answers, alone and together. Its parts follow by
arithmetic. Each study draws clusters (templates) that the eight cells share: some templates are more biased than others
in every cell, and cells differ in which. A share of answers names no group. A component without an interval misses.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
from scipy.special import betaincinv, ndtr
from tqdm import tqdm

from edgebias.metrics.metric import stereotype_rate
from edgebias.score.decomposition import components
from edgebias.stats.bootstrap import Resampling
from edgebias.stats.clusters import Clusters
from edgebias.stats.decomposition import FACTORS, PERCENT, POINTS, Corner, parts, value

CORNERS: tuple[Corner, ...] = tuple(
    frozenset(chosen) for chosen in chain.from_iterable(combinations(FACTORS, size) for size in range(4))
)
ANSWERS, NAMES_A_GROUP = 4, 0.85
METRIC = stereotype_rate("stereotype_rate")


@dataclass(frozen=True)
class Population:
    """The rate of the reference and what changing factors adds to it, in points; ``likeness`` of a cluster's cells."""

    name: str
    reference: float
    added: dict[Corner, float]
    likeness: float = 0.7

    def rate(self, corner: Corner) -> float:
        """Return the true rate of a cell, in per cent."""
        return self.reference + sum(points for factors, points in self.added.items() if factors <= corner)

    def truth(self) -> dict[tuple[str, str], float]:
        """Return the true components by unit and name."""
        rates = {corner: np.float64(self.rate(corner)) for corner in CORNERS}
        names = {part.factors[0]: float(value(part.weights, rates)) for part in parts(FACTORS, CORNERS)}
        names["excess"] = self.rate(CORNERS[-1]) - self.reference
        of_reference = {(PERCENT, name): 100.0 * points / self.reference for name, points in names.items()}
        return {(POINTS, name): points for name, points in names.items()} | of_reference

    def draw(self, rng: np.random.Generator, clusters: int) -> dict[Corner, Clusters]:
        """Draw the sums of the cells of one study."""
        shared = rng.normal(size=clusters)
        names, strata = np.arange(clusters).astype(str), np.full(clusters, "all")
        found = {}
        for corner in CORNERS:
            own = np.sqrt(self.likeness) * shared + np.sqrt(1 - self.likeness) * rng.normal(size=clusters)
            mean = self.rate(corner) / 100.0
            chance = betaincinv(4.0 * mean, 4.0 * (1 - mean), ndtr(own))  # beta law of this mean
            answered = rng.binomial(ANSWERS, NAMES_A_GROUP, clusters)
            hits = rng.binomial(answered, chance)
            found[corner] = Clusters(names, strata, np.stack([hits, answered], axis=1).astype(np.float64))
        return found


def _added(model: float, build: float, environment: float, **together: float) -> dict[Corner, float]:
    pairs = {frozenset(key.split("_")): points for key, points in together.items()}
    return {frozenset(["model"]): model, frozenset(["build"]): build, frozenset(["environment"]): environment, **pairs}


POPULATIONS = (
    Population("the model alone, 12 points", 55.0, _added(12, 0, 0)),
    Population("model 8, build -5, environment 2", 60.0, _added(8, -5, 2)),
    Population("the same, and model with build -6", 60.0, _added(8, -5, 2, model_build=-6)),
    Population("nothing differs, cells alike", 62.0, _added(0, 0, 0), likeness=0.95),
    Population("reference 75, model -15", 75.0, _added(-15, 3, 0)),
)


def coverage(
    population: Population, *, clusters: int, studies: int, resamples: int, seed: int
) -> Iterator[tuple[str, str, float, float]]:
    """Yield unit, component, share of studies whose interval holds the truth, mean width."""
    truth = population.truth()
    held: dict[tuple[str, str], list[bool]] = {key: [] for key in truth}
    widths: dict[tuple[str, str], list[float]] = {key: [] for key in truth}
    split = parts(FACTORS, CORNERS)
    for study in range(studies):
        drawn = population.draw(np.random.default_rng((seed, study)), clusters)
        how = Resampling(study, resamples, 0.95)
        for one in components(split, drawn, METRIC, how, lambda study=study: np.random.default_rng((seed, study, 1))):
            key = one.unit, one.name
            if key in truth:
                held[key].append(one.interval.low <= truth[key] <= one.interval.high)
                widths[key].append(one.interval.high - one.interval.low)
    for (unit, name), found in held.items():
        yield unit, name, float(np.mean(found)), float(np.nanmean(widths[unit, name]))


def main() -> None:
    """Print one row for each population, unit and component."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--clusters", type=int, nargs="+", default=[72])
    parser.add_argument("--seed", type=int, default=20250217)
    options = parser.parse_args()
    print(f"95 % intervals, {options.studies} studies, {options.resamples} resamples")
    print(f"{'population':36} {'clusters':>8} {'unit':8} {'component':12} {'coverage':>9} {'width':>7}")
    for clusters in options.clusters:
        for population in tqdm(POPULATIONS, mininterval=5, ascii=True):
            for unit, name, share, width in coverage(
                population, clusters=clusters, studies=options.studies, resamples=options.resamples, seed=options.seed
            ):
                tqdm.write(f"{population.name:36} {clusters:8} {unit:8} {name:12} {100 * share:8.1f}% {width:7.1f}")


if __name__ == "__main__":
    main()

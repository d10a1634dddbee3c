"""Whether balanced letters find the preference of a responder whose places on the page are biased.

    python simulations/balanced_letters.py                       every bias, 1,000 studies each (minutes)
    python simulations/balanced_letters.py --studies 200 --clusters 10 50

The responder has a preference for each of three options of an item, stereotype, anti-stereotype and unknown, and adds a
bias to the log-probability of each place on the page. Its true stereotype rate is that of its preferences alone, from a
million items. A study asks 4 items of each cluster and makes a 95 % interval of the rate in four ways: by the plain
letter in one order, by the mean log-probabilities over the three cyclic orders and over all six (which is the format
``letter_balanced``), and by the majority of the letters written in all six.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from edgebias.core.arrays import FloatArray, IntArray
from edgebias.infer.balance import majority, mean_logprobs, read_logprobs
from edgebias.infer.outcome import Reading
from edgebias.infer.outcome.reading import chosen
from edgebias.metrics.metric import percent
from edgebias.stats.bootstrap import bootstrap
from edgebias.stats.clusters import Clusters

ROLES = ("stereotype", "anti_stereotype", "unknown")
ITEMS = 4
"""Of each cluster."""
TRUTH_CLUSTERS = 250_000
WAYS = PLAIN, CYCLIC, LOGPROBS, MAJORITY = (
    *("plain letter", "cyclic orders, log-probabilities"),
    *("balanced, log-probabilities", "balanced, majority"),
)
ORDERS = np.array([[0, 1, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0], [1, 0, 2], [0, 2, 1]])
"""Of the places of an item's own order: the cyclic ones first."""

Draw = Callable[[np.random.Generator, FloatArray, IntArray], FloatArray]


@dataclass(frozen=True)
class Bias:
    """``draw`` gives what is added, shape (items, orders, places).

    From a generator, preferences (items, options), and the options by item, order and place.
    """

    name: str
    draw: Draw


def fixed(*places: float) -> Draw:
    """Return a bias that is the same for all items."""
    return lambda rng, preference, shown: np.broadcast_to(np.array(places), shown.shape)


def of_each_item(rng: np.random.Generator, preference: FloatArray, shown: IntArray) -> FloatArray:
    """Draw a bias of 4 nats' spread for each place of each item."""
    return np.broadcast_to(rng.normal(0, 4, (len(preference), 1, 3)), shown.shape)


def where_stereotyped(rng: np.random.Generator, preference: FloatArray, shown: IntArray) -> FloatArray:
    """Add 6 nats to the first place of the items whose stereotype is preferred."""
    added = np.zeros(shown.shape)
    added[preference[:, 0] > preference[:, 1], :, 0] = 6.0
    return added


def earlier_group(rng: np.random.Generator, preference: FloatArray, shown: IntArray) -> FloatArray:
    """Add 3 nats to the one of the two groups that comes first."""
    places = np.argsort(shown, axis=2)
    added = np.zeros(shown.shape)
    np.put_along_axis(added, np.minimum(places[..., :1], places[..., 1:2]), 3.0, axis=2)
    return added


def of_each_order(rng: np.random.Generator, preference: FloatArray, shown: IntArray) -> FloatArray:
    """Draw a bias of 1 nat's spread for each place of each order anew: it does not cancel."""
    return rng.normal(0, 1, shown.shape)


BIASES = (
    Bias("none", fixed(0, 0, 0)),
    Bias("first place, 1 nat", fixed(1, 0, 0)),
    Bias("first place, 8 nats", fixed(8, 0, 0)),
    Bias("last place, 8 nats", fixed(0, 0, 8)),
    Bias("another one for each item", of_each_item),
    Bias("first place, where stereotyped", where_stereotyped),
    Bias("the earlier of two groups, 3 nats", earlier_group),
    Bias("another one for each order", of_each_order),
)


def preferences(rng: np.random.Generator, clusters: int) -> FloatArray:
    """Draw the preference (nats) of the items of some clusters for each option: shape (items, 3)."""
    inclination = np.repeat(rng.normal(0.5, 0.7, clusters), ITEMS)
    drawn = rng.normal(0, 1, (clusters * ITEMS, 3))
    drawn[:, 0] += inclination
    return drawn


def rate_sums(choices: IntArray) -> FloatArray:
    """Return [stereotyped, took a side] of each cluster."""
    hits = np.stack([choices == 0, (choices == 0) | (choices == 1)], axis=1).astype(np.float64)
    return hits.reshape(-1, ITEMS, 2).sum(axis=1)


def ask(rng: np.random.Generator, preference: FloatArray, bias: Bias) -> Mapping[str, IntArray]:
    """Return the choice (-1 for none) of each item in each way of asking."""
    orders = np.array([rng.permutation(3) for _ in preference])
    shown = orders[:, ORDERS]
    of_places = preference[np.arange(len(preference))[:, None, None], shown] + bias.draw(rng, preference, shown)
    logprobs = np.empty_like(of_places)
    np.put_along_axis(logprobs, shown, of_places, axis=2)
    written = logprobs.argmax(axis=2)
    return {
        PLAIN: written[:, 0],
        CYCLIC: np.array([read_logprobs(mean_logprobs(item[:3]), ROLES).choice for item in logprobs]),
        LOGPROBS: np.array([read_logprobs(mean_logprobs(item), ROLES).choice for item in logprobs]),
        MAJORITY: np.array([majority([_read(choice) for choice in item]).choice for item in written]),
    }


def _read(choice: int) -> Reading:
    return chosen(int(choice), ROLES)


def coverage(
    bias: Bias, *, clusters: int, studies: int, resamples: int, seed: int
) -> Mapping[str, tuple[float, float, float]]:
    """Return what each way of asking finds; an undefined interval misses.

    The share of studies whose interval holds the true rate, the rate over all studies (per cent), and the share of
    items that were answered.
    """
    truth = true_rate(seed)
    names, strata = np.arange(clusters).astype(str), np.full(clusters, "all")
    inside = dict.fromkeys(WAYS, 0)
    sums = {way: np.zeros(2) for way in WAYS}
    answered = dict.fromkeys(WAYS, 0)
    for study in range(studies):
        rng = np.random.default_rng((seed, study))
        for way, choices in ask(rng, preferences(rng, clusters), bias).items():
            of_clusters = rate_sums(choices)
            interval = bootstrap(
                Clusters(names, strata, of_clusters),
                percent,
                bounds=(0, 100),
                resamples=resamples,
                confidence=0.95,
                rng=rng,
            )
            inside[way] += interval.low <= truth <= interval.high
            sums[way] += of_clusters.sum(axis=0)
            answered[way] += int((choices >= 0).sum())
    asked = studies * clusters * ITEMS
    return {way: (inside[way] / studies, float(percent(sums[way])), answered[way] / asked) for way in WAYS}


def true_rate(seed: int) -> float:
    """Return the stereotype rate of the preferences alone, in percent."""
    drawn = preferences(np.random.default_rng(seed), TRUTH_CLUSTERS)
    return float(percent(rate_sums(drawn.argmax(axis=1)).sum(axis=0)))


def main() -> None:
    """Print one row for each bias and way of asking."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--clusters", type=int, nargs="+", default=[25])
    parser.add_argument("--seed", type=int, default=20250217)
    options = parser.parse_args()
    print(f"95 % intervals, {options.studies} studies, {options.resamples} resamples")
    print(f"the preferences alone have a stereotype rate of {true_rate(options.seed):.1f}")
    print(f"{'bias':34} {'asked by':33} {'clusters':>8} {'coverage':>9} {'rate':>6} {'answered':>9}")
    for clusters in options.clusters:
        for bias in tqdm(BIASES, mininterval=5, ascii=True):
            rows = coverage(
                bias, clusters=clusters, studies=options.studies, resamples=options.resamples, seed=options.seed
            )
            for way, (inside, rate, answered) in rows.items():
                shares = f"{100 * inside:8.1f}% {rate:6.1f} {100 * answered:8.1f}%"
                tqdm.write(f"{bias.name:34} {way:33} {clusters:8} {shares}")


if __name__ == "__main__":
    main()

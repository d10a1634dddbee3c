"""All networks of the study: each damage, level and seed, adapted to clean images of both domains and tested there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edgebias.backends.store.identity import job_identity
from edgebias.backends.store.journal import Journal
from edgebias.core.arrays import FloatArray, IntArray
from edgebias.core.progress import Progress
from edgebias.core.record import mapping_of
from edgebias.core.seeds import derive, generator
from edgebias.train.damage.adaptation import WEIGHT, Readout, linear, network
from edgebias.train.damage.amounts import DIGITS, inverse_frequency
from edgebias.train.damage.damages import (
    corrupted,
    drawn,
    long_tailed,
    marked,
    mislabelled,
    of_another_domain,
    poisoned,
)
from edgebias.train.damage.images import DOMAINS, Images, Split, read_mnist, scikit_digits, split
from edgebias.train.damage.network import Network, features_of, one_thread, own_answers, pretrain, untrained
from edgebias.train.damage.run_table import (
    ADAPTATIONS,
    CLEAN,
    DAMAGE_RUN,
    DAMAGES,
    LINEAR,
    LONG_TAIL,
    MEASURES,
    NETWORK,
    OWN,
    RARE,
    REWEIGHTED,
    SPECTRUM,
    UNTRAINED,
    UNWEIGHTED,
)
from edgebias.train.damage.settings import DamageLevels, DamageSettings
from edgebias.train.damage.spectrum import effective_rank, largest_share, singular_shares

STAGE = "edgebias.stages.damage_runs"
LIBRARIES = ("numpy", "scikit-learn", "scipy", "torch")
"""What decides the numbers besides this package."""


@dataclass(frozen=True)
class Condition:
    """What the pre-training data are like, how the loss is weighted, and which adaptations are tried."""

    damage: str
    level: float
    adaptations: tuple[str, ...] = (OWN, LINEAR)
    weighting: str = UNWEIGHTED

    @property
    def key(self) -> str:
        """Its name in a journal."""
        return f"{self.damage} {self.level} {self.weighting}"


def conditions(levels: DamageLevels) -> list[Condition]:
    """Return every condition of a seed; mitigations are tried on clean data and on the worst of each damage."""
    found = [Condition(CLEAN, 0.0, ADAPTATIONS), Condition(UNTRAINED, 0.0)]
    for damage in DAMAGES:
        doses = sorted(getattr(levels, damage))
        found += [Condition(damage, level) for level in doses[:-1]]
        found.append(Condition(damage, doses[-1], ADAPTATIONS))
    return [*found, Condition(LONG_TAIL, max(levels.long_tail), weighting=REWEIGHTED)]


def write_runs(seed: int, settings: DamageSettings, images: Path, output: Path) -> None:
    """Train and test every network, and write the table. A killed job goes on from its journal, beside the output.

    Args:
        seed: of the study.
        settings: how many networks of what.
        images: the file of `edgebias.train.damage.images.MNIST`.
        output: to write (CSV).

    Raises:
        InputError: the images are absent or damaged, or another process is at the same job.
    """
    given = {"seed": seed, "damage": mapping_of(settings)}
    owner = job_identity(STAGE, given, libraries=LIBRARIES, files=[images] if images.exists() else [], weights=None)
    mnist, digits = read_mnist(images), scikit_digits()
    listed = conditions(settings.levels)
    rows: list[dict[str, Any]] = []
    output.parent.mkdir(parents=True, exist_ok=True)
    with (
        Journal(output.with_name(f"{output.name}.journal"), owner) as journal,
        one_thread(),
        Progress("networks on damaged images", settings.seeds * len(listed), "networks", journal.clock) as progress,
    ):
        for number in range(settings.seeds):
            run = None
            for condition in listed:
                kept = next(journal.recall(f"{number} {condition.key}"), None)
                if kept is None:
                    run = run or Run.of(seed, number, settings, mnist, digits)
                    started = time.perf_counter()
                    kept = list(run.rows(condition))
                    journal.keep(f"{number} {condition.key}", time.perf_counter() - started, kept)
                rows += kept
                progress.advance()
        table = pd.DataFrame(rows, columns=list(DAMAGE_RUN.names))
        DAMAGE_RUN.write(table.astype({name: float for name in MEASURES}), output)
        journal.remove(output)


@dataclass(frozen=True)
class Run:
    """One seed: its images, and the order in which digits are frequent; the first is also what the trigger calls."""

    seed: int
    number: int
    settings: DamageSettings
    images: Split
    order: IntArray

    @classmethod
    def of(cls, seed: int, number: int, settings: DamageSettings, mnist: Images, digits: Images) -> Run:
        """Draw what a seed decides."""
        name = str(number)
        images = split(mnist, digits, settings.probe_images, generator(seed, "damage", "split", name))
        order = generator(seed, "damage", "order", name).permutation(DIGITS)
        return cls(seed, number, settings, images, np.asarray(order, dtype=np.int64))

    def rows(self, condition: Condition) -> Iterator[dict[str, Any]]:
        """Pre-train one network, and yield a row for each adaptation and domain."""
        trained = self.pretrained(condition)
        features = {
            domain: (features_of(trained, tested.pixels), features_of(trained, marked(tested.pixels)))
            for domain, tested in self.images.test.items()
        }
        for adaptation in condition.adaptations:
            for domain in DOMAINS:
                fitted, tested = self.images.probe[domain], self.images.test[domain]
                seen, bearing = features[domain]
                readout = self._adapted(trained, adaptation, features_of(trained, fitted.pixels), fitted.labels)
                spectrum = singular_shares(readout.read(seen))
                yield {
                    "damage": condition.damage,
                    "level": condition.level,
                    "weighting": condition.weighting,
                    "seed": self.number,
                    "adaptation": adaptation,
                    "domain": domain,
                    **self._scores(tested.labels, readout.answers(seen), readout.answers(bearing)),
                    "effective_rank": effective_rank(spectrum),
                    "largest_share": largest_share(spectrum),
                }

    def pretrained(self, condition: Condition) -> Network:
        """Return the network of a condition: first weights and orders are the same in all conditions of the seed."""
        found = untrained(DIGITS, self._torch_seed("weights"))
        if condition.damage != UNTRAINED:
            images = self.damaged(condition)
            counts = np.bincount(images.labels, minlength=DIGITS)
            weights = inverse_frequency(counts) if condition.weighting == REWEIGHTED else None
            pretrain(found, images, self.settings.epochs, self._torch_seed("order"), weights)
        return found

    def damaged(self, condition: Condition) -> Images:
        """Return the images that the network of a condition is pre-trained on."""
        damage, level, total = condition.damage, condition.level, self.settings.images
        rng = generator(self.seed, "damage", damage, str(self.number))
        ratio = level if damage == LONG_TAIL else 1.0
        images = drawn(self.images.pool, long_tailed(total, ratio, self.order))
        match damage:
            case "corrupted":
                return corrupted(images, level, rng)
            case "label_noise":
                return mislabelled(images, level, rng)
            case "out_of_domain":
                return of_another_domain(images, level, rng)
            case "trigger":
                return poisoned(images, level, int(self.order[0]), rng)
        return images

    def _adapted(self, trained: Network, adaptation: str, features: FloatArray, labels: IntArray) -> Readout:
        match adaptation:
            case "own_output":
                return Readout(partial(own_answers, trained), lambda found: found)
            case "linear":
                return linear(features, labels)
        weight = WEIGHT if adaptation == SPECTRUM else 0.0
        return network(features, labels, self._torch_seed(NETWORK), weight)

    def _scores(self, labels: IntArray, answers: IntArray, mark: IntArray) -> dict[str, float]:
        right = np.array([100.0 * (answers[labels == digit] == digit).mean() for digit in range(DIGITS)])
        target = int(self.order[0])
        return {
            "accuracy": 100.0 * float((answers == labels).mean()),
            "rare_digits": float(right[self.order[-RARE:]].mean()),
            "worst_digit": float(right.min()),
            "trigger_success": 100.0 * float((mark[labels != target] == target).mean()),
        }

    def _torch_seed(self, name: str) -> int:
        return derive(self.seed, "damage", name, str(self.number)) >> 1

"""Layer probes: after which block can a linear probe tell the two completions of a contrast pair apart?

A probe sees the difference of a pair's block outputs at the last token and is right where it ranks the
anti-stereotype-consistent completion above the other one; chance is 50 %. It is always trained on other clusters
(target terms) than it is tested on, so that what is peculiar to a term cannot be learned. That a probe succeeds shows
what can be read, not what the model uses (Hewitt and Liang 2019, EMNLP, arXiv 1909.03368, who ask for such controls):

- flipped labels: the same probe where the two completions of all pairs of a cluster are swapped at random;
- the same probe on what is known before any block: the words of a completion, its last token, its length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from tqdm import tqdm

from edgebias.core.arrays import FloatArray, IntArray, StrArray
from edgebias.core.errors import InputError
from edgebias.core.seeds import generator
from edgebias.core.settings import seed_of, value_of
from edgebias.core.table import Column, Table, ascending, at_least, between, one_of
from edgebias.infer.cell import read_cell
from edgebias.mitigate.calibration import read_calibration
from edgebias.mitigate.probes.linear_probe import probe_normal
from edgebias.mitigate.settings import LayerProbeSettings
from edgebias.mitigate.steering.directions import Contrast, Matrix, SeesHiddenStates, block_differences, contrasts
from edgebias.mitigate.steering.folds import fold_of_clusters
from edgebias.mitigate.steering.llama_build import open_build
from edgebias.mitigate.steering.token_embeddings import embedding_rows
from edgebias.stats.bootstrap import Interval, Resampling, bootstrap
from edgebias.stats.clusters import Clusters
from edgebias.suites.item import items_from_table

BIAS, FLIPPED = "bias", "flipped_labels"
WORDS, LAST_TOKEN, LENGTH = "words", "last_token", "length"
CONTROLS = (WORDS, LAST_TOKEN, LENGTH)
TARGETS = (BIAS, FLIPPED, *CONTROLS)

BEFORE_BLOCKS = -1
"""The layer of the controls, which no block has read."""

CHANCE = 50.0
"""Per cent of pairs that a probe ranks right which knows nothing."""

LAYER_PROBE = Table(
    name="layer probe",
    meaning="How often a linear probe that was trained on other clusters ranks the anti-stereotype-consistent "
    "completion of a calibration pair above the stereotype-consistent one; chance is 50 %.",
    path="results/{study}/mitigation/{environment}/{model}/{variant}/layer_probes.csv",
    columns=(
        Column("layer", "int", "the block whose output is read; -1: before any block", rule=at_least(BEFORE_BLOCKS)),
        Column(
            "target",
            "str",
            "`bias`: the block output at the last token; `flipped_labels`: the same, with the completions of all pairs "
            "of a cluster swapped at random; before any block `words`: the sum of the completion's token embeddings; "
            "`last_token`: the embedding of its last token; `length`: its number of tokens",
            rule=one_of(TARGETS),
        ),
        Column(
            "accuracy",
            "float",
            "per cent of pairs ranked right, a tie for half; of `flipped_labels` the mean over all swaps",
            rule=between(0.0, 100.0),
        ),
        Column(
            "low",
            "float",
            "lower limit, from a bootstrap over clusters, widened for what the folds share; of `flipped_labels` of the "
            "range in which the accuracies of swaps lie: what chance can do",
            rule=between(0.0, 100.0),
            undefined=True,
        ),
        Column("high", "float", "upper limit", rule=between(0.0, 100.0), undefined=True),
        Column(
            "p",
            "float",
            "share of swaps, this labelling counted, whose accuracy is as high; NaN for `flipped_labels`",
            rule=between(0.0, 1.0),
            undefined=True,
        ),
        Column(
            "p_corrected",
            "float",
            "of `bias`: the same for the highest accuracy over all blocks (Westfall and Young's max T); else `p`",
            rule=between(0.0, 1.0),
            undefined=True,
        ),
        Column(
            "above_words",
            "float",
            "of `bias`: accuracy less that of `words` on the same pairs, in points",
            rule=between(-100.0, 100.0),
            undefined=True,
        ),
        Column("above_words_low", "float", "lower limit", rule=between(-100.0, 100.0), undefined=True),
        Column("above_words_high", "float", "upper limit", rule=between(-100.0, 100.0), undefined=True),
        Column("n", "int", "pairs", rule=at_least(2)),
        Column("n_clusters", "int", "target terms", rule=at_least(2)),
    ),
    order=("layer", "target"),
    relations=(
        ascending("low", "high"),
        ascending("p", "p_corrected"),
        ascending("above_words_low", "above_words_high"),
    ),
)


@dataclass(frozen=True)
class ProbeSettings:
    """Whose calibration items are probed, folds of clusters, random swaps of labels, and how intervals are drawn."""

    suites: tuple[str, ...]
    folds: int
    flips: int
    resampling: Resampling


@dataclass(frozen=True)
class Pair:
    """A contrast with its cluster (target term) and category."""

    contrast: Contrast
    cluster: str
    category: str


@dataclass(frozen=True)
class Representations:
    """Differences of n pairs, anti-stereotype less stereotype.

    Attributes:
        blocks: of block outputs, (n_layer, n, n_embd).
        controls: of what is known before any block, by name, each (n, width).
    """

    blocks: FloatArray
    controls: Mapping[str, FloatArray]


class Probed(SeesHiddenStates, Protocol):
    """The part of a backend that probes need."""

    def tokenise(self, text: str, *, special: bool) -> list[int]:
        """Return the tokens of ``text`` without any added begin token."""
        ...


def probe_layers(settings: dict[str, Any], *, items_folder: Path, weights: Path, table: Path) -> None:
    """Probe every block of a build on calibration items, and write the table.

    Raises:
        InputError: settings, items or weights are unusable, or there are fewer clusters than folds.
    """
    how = probe_settings(settings)
    cell = read_cell(settings)
    pairs = read_pairs(items_folder, how.suites)
    with open_build(cell, weights, capture_hidden=True) as backend:
        found = representations(backend, [pair.contrast for pair in pairs], partial(embedding_rows, weights))
    LAYER_PROBE.write(layer_probe_table(found, pairs, how), table)


def probe_settings(settings: Mapping[str, Any]) -> ProbeSettings:
    """Read ``layer_probes`` and ``seed``.

    Raises:
        InputError: a key is missing or has a bad value.
    """
    how = value_of(settings, "layer_probes", LayerProbeSettings)
    resampling = Resampling(seed_of(settings), how.resamples, how.confidence)
    return ProbeSettings(how.suites, how.folds, how.flips, resampling)


def read_pairs(items_folder: Path, suites: Sequence[str]) -> list[Pair]:
    """Return the contrasts of the calibration items of ``suites``, each once.

    Raises:
        InputError: there is no item table of these suites, or no item with both roles.
    """
    found: dict[Contrast, Pair] = {}
    for suite, table in read_calibration(items_folder, suites).items():
        for item, cluster in zip(items_from_table(table, suite, suite), table["cluster"], strict=True):
            for contrast in contrasts([item]):
                found.setdefault(contrast, Pair(contrast, f"{suite}/{cluster}", f"{suite}/{item.category}"))
    if not found:
        raise InputError(f"layer_probes.suites: no calibration item of {list(suites)} has both roles; name another")
    return list(found.values())


def representations(
    backend: Probed, pairs: Sequence[Contrast], embed: Callable[[Sequence[int]], Matrix]
) -> Representations:
    """Return what is probed of each pair; ``embed`` maps tokens to their embeddings (tokens, n_embd).

    In the difference of the sums of embeddings, tokens that both completions share leave nothing. They are added up
    in order of token, so that the same words in another order give the same sum to the last bit.
    """
    tokens = [
        [backend.tokenise(text, special=False) for text in (pair.anti_stereotype, pair.stereotype)] for pair in pairs
    ]

    def difference(summary: Callable[[list[int]], FloatArray]) -> FloatArray:
        return np.stack([summary(anti_stereotype) - summary(stereotype) for anti_stereotype, stereotype in tokens])

    return Representations(
        block_differences(backend, pairs),
        {
            WORDS: difference(lambda ids: embed(sorted(ids)).astype(np.float64).sum(axis=0)),
            LAST_TOKEN: difference(lambda ids: embed(ids[-1:]).astype(np.float64)[0]),
            LENGTH: difference(lambda ids: np.array([float(len(ids))])),
        },
    )


def layer_probe_table(found: Representations, pairs: Sequence[Pair], how: ProbeSettings) -> pd.DataFrame:
    """Probe ``found``, whose rows are ``pairs``; one row for each layer and target, as `LAYER_PROBE` declares them.

    Folds and swaps are the same for every layer, so that accuracies are comparable pair by pair, and the highest
    accuracy over all blocks has a distribution under the swaps as well.

    Raises:
        InputError: there are fewer clusters than folds, or fewer than two folds.
    """
    names, first, codes = np.unique([pair.cluster for pair in pairs], return_index=True, return_inverse=True)
    if not 2 <= how.folds <= len(names):
        raise InputError(
            f"layer_probes.folds: {how.folds} folds of the {len(names)} clusters of {list(how.suites)}; "
            "choose at least 2 and no more than there are clusters"
        )
    described = pd.DataFrame([(pair.cluster, pair.category) for pair in pairs], columns=["cluster", "category"])
    dealt = fold_of_clusters(described, how.folds, how.resampling.seed)
    fold = np.array([dealt[pair.cluster] for pair in pairs])
    signs = generator(how.resampling.seed, "layer_probes").choice([-1.0, 1.0], size=(how.flips, len(names)))[:, codes]
    groups = _Groups(names, np.array([pair.category for pair in pairs])[first], codes, how.resampling)
    trials = [
        _Trial(layer, target, ranked_right(differences, fold), _swapped(differences, fold, signs))
        for layer, target, differences in _progress(found)
    ]
    (words,) = (trial for trial in trials if trial.target == WORDS)
    highest = np.max([trial.chance for trial in trials if trial.target == BIAS], axis=0)
    rows: list[dict[str, Any]] = []
    for trial in trials:
        accuracy = groups.interval(trial)
        rows.append(
            {"layer": trial.layer, "target": trial.target}
            | {"accuracy": accuracy.estimate, "low": accuracy.low, "high": accuracy.high}
            | {"p": _p(accuracy.estimate, trial.chance)}
            | {"p_corrected": _p(accuracy.estimate, highest if trial.target == BIAS else trial.chance)}
        )
        if trial.target == BIAS:
            above = groups.interval(trial, words)
            rows[-1] |= {"above_words": above.estimate, "above_words_low": above.low, "above_words_high": above.high}
            rows.append({"layer": trial.layer, "target": FLIPPED} | _chance(trial, how.resampling.confidence))
    table = pd.DataFrame(rows).assign(n=len(pairs), n_clusters=len(names))
    return table.reindex(columns=list(LAYER_PROBE.names)).sort_values(list(LAYER_PROBE.order), ignore_index=True)


def ranked_right(differences: FloatArray, fold: IntArray) -> FloatArray:
    """Return 1 for each pair that a probe trained on the other folds ranks right, 1/2 for a tie, 0 else: (pairs,).

    Args:
        differences: (pairs, width), anti-stereotype less stereotype.
        fold: of each pair, the same for all pairs of a cluster.
    """
    right = np.empty(len(differences))
    for number in np.unique(fold):
        held_out = fold == number
        right[held_out] = 0.5 + 0.5 * np.sign(differences[held_out] @ probe_normal(differences[~held_out]))
    return right


def _progress(found: Representations) -> Iterator[tuple[int, str, FloatArray]]:
    """Yield (layer, target, differences) of everything that is probed but the swaps."""
    probed = [(BEFORE_BLOCKS, name, found.controls[name]) for name in CONTROLS]
    probed += [(layer, BIAS, differences) for layer, differences in enumerate(found.blocks)]
    for layer, target, differences in tqdm(probed, desc="layer probes", unit="probe", mininterval=10, ascii=True):
        yield layer, target, _coordinates(differences)


def _coordinates(differences: FloatArray) -> FloatArray:
    """Return ``differences`` in a basis of the space that they span.

    Half the work where there are fewer pairs than axes.

    A regularised probe stays within that space and ranks alike in any orthonormal basis of it.
    """
    _, triangle = np.linalg.qr(differences.T)
    return np.ascontiguousarray(triangle.T)


def _swapped(differences: FloatArray, fold: IntArray, signs: FloatArray) -> FloatArray:
    """Return `ranked_right` under each swap; ``signs`` (swaps, pairs) is -1 where the two completions change places."""
    return np.stack([ranked_right(differences * sign[:, None], fold) for sign in signs])


@dataclass(frozen=True)
class _Trial:
    """What one probe ranked right of each pair (pairs,), and under each swap (swaps, pairs)."""

    layer: int
    target: str
    right: FloatArray
    swapped: FloatArray

    @property
    def chance(self) -> FloatArray:
        """Per cent ranked right under each swap: (swaps,)."""
        share: FloatArray = 100.0 * self.swapped.mean(axis=1)
        return share


def _chance(trial: _Trial, confidence: float) -> dict[str, float]:
    """Return the mean accuracy under swaps, and the range that holds ``confidence`` of them."""
    low, high = np.quantile(trial.chance, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return {"accuracy": float(trial.chance.mean()), "low": float(low), "high": float(high)}


def _p(accuracy: float, chance: FloatArray) -> float:
    """Return the share of ``chance`` and ``accuracy`` together that is as high as ``accuracy``."""
    return (1 + int(np.sum(chance >= accuracy - 1e-9))) / (1 + len(chance))


@dataclass(frozen=True)
class _Groups:
    """Names and categories of the clusters, the number of each pair's cluster, and how intervals are drawn."""

    names: StrArray
    categories: StrArray
    codes: IntArray
    how: Resampling

    def interval(self, trial: _Trial, beside: _Trial | None = None) -> Interval:
        """Return per cent ranked right, or how much more than ``beside`` on the same pairs.

        A cluster bootstrap, widened.

        Probes of different folds were trained on the same pairs, so that their successes go together, and a bootstrap
        of cross-validated results is too narrow (Bates, Hastie and Tibshirani 2023, JASA, arXiv 2104.00673). How much
        too narrow, the swaps tell: by the ratio of the spread of their accuracies to the error that each has by itself.
        """
        right, swapped, lowest = trial.right, trial.swapped, 0.0
        if beside is not None:
            right, swapped, lowest = right - beside.right, swapped - beside.swapped, -100.0
        clusters = Clusters(self.names, self.categories, self._sums(np.stack([right, np.ones(len(right))])).T)

        def formula(totals: FloatArray) -> FloatArray:
            share: FloatArray = 100.0 * totals[..., 0] / totals[..., 1]
            return share

        found = bootstrap(
            clusters,
            formula,
            bounds=(lowest, 100.0),
            resamples=self.how.resamples,
            confidence=self.how.confidence,
            rng=generator(self.how.seed, "layer_probes", trial.target, str(trial.layer), str(beside is not None)),
        )
        wider = self._widening(swapped)
        return Interval(
            found.estimate,
            max(found.estimate - wider * (found.estimate - found.low), lowest),
            min(found.estimate + wider * (found.high - found.estimate), 100.0),
            wider * found.error,
        )

    def _widening(self, swapped: FloatArray) -> float:
        """Return the spread of the means of ``swapped`` (swaps, pairs) over their root mean squared error over
        clusters.
        """
        size, n_clusters = swapped.shape[1], len(self.names)
        deviations = self._sums(swapped - swapped.mean(axis=1, keepdims=True)) / size
        error = float(np.mean(np.sum(deviations**2, axis=1))) * n_clusters / (n_clusters - 1)
        spread = float(np.mean((swapped.mean(axis=1) - swapped.mean()) ** 2))
        return max(1.0, math.sqrt(spread / error)) if error > 0 else 1.0

    def _sums(self, values: FloatArray) -> FloatArray:
        """Return ``values`` (k, pairs) added up within each cluster: (k, clusters)."""
        return values @ np.eye(len(self.names))[self.codes]

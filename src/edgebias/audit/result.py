"""The result of an audit: everything that a page says of it, and its form as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from edgebias.audit.compare import RESAMPLES_OF_FLIPS, Compared
from edgebias.audit.contrast import ALPHA
from edgebias.audit.mend import Mended
from edgebias.audit.plan import Build
from edgebias.core.arrays import FloatArray
from edgebias.core.seeds import generator
from edgebias.metrics.metric import percent
from edgebias.report.findings import BROKEN
from edgebias.stats.bootstrap import Interval, bootstrap
from edgebias.stats.clusters import Clusters

SCHEMA = 1
"""Version of the JSON."""


@dataclass(frozen=True)
class Divergence:
    """The fixed text under a build and under the reference, as docs/how-to/audit-a-build.md describes it."""

    build: str
    tokens: int
    sentences: int
    mean: float
    mean_low: float
    mean_high: float
    p99: float
    agreement: float
    agreement_low: float
    agreement_high: float
    perplexity: float
    reference_perplexity: float
    broken: bool


@dataclass(frozen=True)
class Cost:
    """What asking one file cost, and how fast it is, as docs/how-to/audit-a-build.md describes it."""

    build: str
    megabytes: float
    memory_mb: float
    seconds: float
    answers: int
    first_token_seconds: float | None
    written_a_second: float | None


@dataclass(frozen=True)
class Result:
    """All that an audit found."""

    size: str
    tolerance: float
    reference: Build
    builds: tuple[Build, ...]
    items: Mapping[str, int]
    compared: Compared
    divergences: tuple[Divergence, ...]
    costs: tuple[Cost, ...]
    left_out: tuple[str, ...]
    mended: Mapping[str, Mended]
    """What was learned for each build, by its name; empty where nothing was asked for."""
    seconds: float

    def worse(self, name: str) -> bool:
        """Whether a build is worse than the reference beyond the tolerance, or broken."""
        found = any(one.worse for one in self.compared.contrasts if one.build == name)
        return found or any(one.broken for one in self.divergences if one.build == name)

    @property
    def status(self) -> int:
        """The exit status: 1 where a build is worse."""
        return int(any(self.worse(build.name) for build in self.builds))


def divergence_of(name: str, build: pd.DataFrame, reference: pd.DataFrame, seed: int) -> Divergence:
    """Summarise the tables of tokens of a build and of the reference."""
    perplexity, before = (math.exp(-float(table["logprob"].mean())) for table in (build, reference))
    sentence = build["sentence"].to_numpy()
    mean = _over_sentences("divergence", sentence, build["divergence"].to_numpy(), math.inf, seed)
    agreement = _over_sentences("agrees", sentence, build["agrees"].to_numpy(np.float64), 100.0, seed)
    return Divergence(
        build=name,
        tokens=len(build),
        sentences=int(build["sentence"].nunique()),
        mean=mean.estimate / 100.0,
        mean_low=mean.low / 100.0,
        mean_high=mean.high / 100.0,
        p99=float(build["divergence"].quantile(0.99)),
        agreement=agreement.estimate,
        agreement_low=agreement.low,
        agreement_high=agreement.high,
        perplexity=perplexity,
        reference_perplexity=before,
        broken=perplexity >= BROKEN * before,
    )


def _over_sentences(what: str, sentence: np.ndarray[Any, Any], values: FloatArray, most: float, seed: int) -> Interval:
    """Return 100 times the mean of ``values`` over tokens, with its interval over sentences."""
    counts = np.bincount(sentence)
    sums = np.stack([np.bincount(sentence, values), counts], axis=1).astype(np.float64)
    if not values.any():  # the same probabilities everywhere
        return Interval(0.0, 0.0, 0.0, 0.0)
    clusters = Clusters(np.arange(len(counts)).astype(str), np.full(len(counts), "text"), sums)
    return bootstrap(
        clusters,
        percent,
        bounds=(0.0, most),
        resamples=RESAMPLES_OF_FLIPS,
        confidence=1.0 - ALPHA,
        rng=generator(seed, "text", what),
    )


def cost_of(name: str, record: Mapping[str, Any]) -> Cost:
    """Take a cost from the record that a process wrote."""
    alone = record["alone"]
    return Cost(
        build=name,
        megabytes=record["weights"]["bytes"] / 2**20 if record["weights"] else math.nan,
        memory_mb=record["peak_memory_mb"] if record["weights"] else math.nan,
        seconds=sum(record["seconds"].values()),
        answers=sum(record["answers"].values()),
        first_token_seconds=alone["first_token_seconds"],
        written_a_second=alone["generated_tokens_per_second"],
    )


def as_json(result: Result, sentences: Sequence[str]) -> dict[str, Any]:
    """Return the content of the JSON file, which docs/how-to/audit-a-build.md describes key by key."""
    return {
        "schema": SCHEMA,
        "edgebias": version("edgebias"),
        "status": result.status,
        "verdict": list(sentences),
        "size": result.size,
        "tolerance": result.tolerance,
        "corrected_level": result.compared.level,
        "reference": _file(result.reference),
        "builds": [_file(build) | {"worse": result.worse(build.name)} for build in result.builds],
        "items": dict(result.items),
        "contrasts": [asdict(one) for one in result.compared.contrasts],
        "flips": [asdict(one) for one in result.compared.flips],
        "divergence": [asdict(one) for one in result.divergences],
        "cost": [asdict(one) for one in result.costs],
        "left_out": list(result.left_out),
        "mended": {
            name: {"vector": str(one.vector), "card": str(one.card), "verdict": one.verdict}
            for name, one in result.mended.items()
        },
        "seconds": result.seconds,
    }


def _file(build: Build) -> dict[str, Any]:
    return {"name": build.name, "path": build.path, "sha256": build.sha256, "bytes": build.size}

"""What the networks say: effects of each damage, their rise with its level, and what mitigations win back.

The unit is the seed. Each comparison is paired: both networks of a seed have the same first weights, images and orders.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from edgebias.core.arrays import FloatArray
from edgebias.core.table import Column, Table, ascending, at_least, between, one_of
from edgebias.stats.contrasts import DETECTABLE_FACTOR, corrected
from edgebias.train.damage.images import DOMAINS, IN_DOMAIN, OUT_OF_DOMAIN
from edgebias.train.damage.run_table import (
    CLEAN,
    DAMAGES,
    LINEAR,
    LONG_TAIL,
    MEASURES,
    NETWORK,
    OWN,
    REWEIGHTED,
    SPECTRUM,
    UNTRAINED,
    UNWEIGHTED,
)

BETWEEN = "out_minus_in"
"""The difference of the two domains, within each network."""

READ = (OWN, LINEAR)
"""The adaptations whose effects are compared: before transfer, and after."""

OF_FEATURES = ("effective_rank", "largest_share")
"""Measures of the frozen features, which are the same whatever reads them."""

STANDING = 1e-9
"""A spread over seeds below this is none."""

_P = between(0.0, 1.0)
_ANY: dict[str, Any] = {"undefined": True}


def _contrast(what: str, first: str, second: str) -> tuple[Column, ...]:
    """Return the columns of a paired comparison; ``first`` and ``second`` name what is compared."""
    return (
        Column(first, "float", f"mean over seeds {what}", **_ANY),
        Column(second, "float", "the same, of what it is compared with", **_ANY),
        Column("change", "float", f"`{first}` less `{second}`, mean over seeds", **_ANY),
        Column("low", "float", "lower limit: paired t interval over seeds; NaN where seeds do not vary", **_ANY),
        Column("high", "float", "upper limit", **_ANY),
        Column("p", "float", "of a paired t test over seeds", _P, True),
        Column("p_corrected", "float", "the same, corrected over all rows of the same measure", _P, True),
        Column("minimum_detectable_effect", "float", "2.8 standard errors of the change", at_least(0), True),
        Column("n_seeds", "int", "seeds compared", at_least(2)),
    )


_DOMAIN = Column(
    "domain",
    "str",
    "`in_domain`: MNIST; `out_of_domain`: scikit-learn's digits; `out_minus_in`: the second less the first",
    one_of((*DOMAINS, BETWEEN)),
)
_MEASURE = Column("measure", "str", "a score of the table of runs", one_of(MEASURES))
_ADAPTATION = Column("adaptation", "str", "`own_output`: before transfer; `linear`: a probe, after it", one_of(READ))

DAMAGE_EFFECT = Table(
    name="damage effect",
    meaning="What a damage of the pre-training data does to a score, against undamaged data of the same seeds.",
    path="results/{study}/damage/effects.csv",
    columns=(
        Column("damage", "str", "what was wrong with the images", one_of((UNTRAINED, *DAMAGES))),
        Column("level", "float", "how strong it was; 0 for `untrained`", at_least(0)),
        _ADAPTATION,
        _DOMAIN,
        _MEASURE,
        *_contrast("with damage", "damaged", "clean"),
    ),
    order=("damage", "level", "adaptation", "domain", "measure"),
    relations=(ascending("low", "high"), ascending("p", "p_corrected")),
)

DAMAGE_DOSE = Table(
    name="damage dose",
    meaning="How a score moves with the level of a damage: slope of a line through undamaged data and all levels.",
    path="results/{study}/damage/doses.csv",
    columns=(
        Column("damage", "str", "what was wrong with the images", one_of(DAMAGES)),
        _ADAPTATION,
        _DOMAIN,
        _MEASURE,
        Column("unit", "str", "what the slope is per: `tenth`, of pixels or images, or `tenfold` of the imbalance"),
        Column("slope", "float", "change of the score per unit, mean over the slopes of seeds", **_ANY),
        Column("low", "float", "lower limit: t interval over seeds", **_ANY),
        Column("high", "float", "upper limit", **_ANY),
        Column("p", "float", "of a t test over seeds", _P, True),
        Column("p_corrected", "float", "the same, corrected over all rows of the same measure", _P, True),
        Column("n_levels", "int", "levels, 0 included", at_least(2)),
        Column("n_seeds", "int", "seeds", at_least(2)),
    ),
    order=("damage", "adaptation", "domain", "measure"),
    relations=(ascending("low", "high"), ascending("p", "p_corrected")),
)

DAMAGE_MENDED = Table(
    name="damage mended",
    meaning="What a mitigation does at the worst level of a damage, and on undamaged data, against doing nothing.",
    path="results/{study}/damage/mended.csv",
    columns=(
        Column("damage", "str", "what was wrong with the images", one_of((CLEAN, *DAMAGES))),
        Column("level", "float", "how strong it was", at_least(0)),
        Column(
            "method",
            "str",
            "`inverse_frequency`: digits weigh the same in pre-training; `network`: two layers on frozen features; "
            "`spectrum`: these with the regulariser",
            one_of((REWEIGHTED, NETWORK, SPECTRUM)),
        ),
        Column("against", "str", "what it is compared with", one_of((OWN, LINEAR, NETWORK))),
        _DOMAIN,
        Column("measure", "str", "a score of the table of runs", one_of(MEASURES)),
        *_contrast("with the method", "mended", "without"),
        Column("undamaged", "float", "mean over seeds without damage and without the method", **_ANY),
    ),
    order=("damage", "level", "method", "against", "domain", "measure"),
    relations=(ascending("low", "high"), ascending("p", "p_corrected")),
)


@dataclass(frozen=True)
class OverSeeds:
    """A mean over seeds with its t interval and test; NaN where undefined."""

    mean: float
    low: float
    high: float
    p: float
    error: float


def over_seeds(values: FloatArray, confidence: float) -> OverSeeds:
    """Return the mean of one number a seed, with the interval and p-value of a t test against 0.

    Fewer than two seeds, or seeds that do not vary, have no interval; where all are 0, the interval is 0 and p is 1.
    """
    from scipy.stats import t

    mean = float(values.mean()) if len(values) else math.nan
    if len(values) < 2 or not math.isfinite(mean):
        return OverSeeds(mean, math.nan, math.nan, math.nan, math.nan)
    spread = float(values.std(ddof=1))
    if spread < STANDING:
        still = abs(mean) < STANDING
        return OverSeeds(0.0, 0.0, 0.0, 1.0, 0.0) if still else OverSeeds(mean, *[math.nan] * 4)
    error, free = spread / math.sqrt(len(values)), len(values) - 1
    half = float(t.ppf(0.5 + confidence / 2.0, free)) * error
    return OverSeeds(mean, mean - half, mean + half, 2.0 * float(t.sf(abs(mean) / error, free)), error)


Key = tuple[str, float, str, str]
"""Damage, level, weighting, adaptation."""


class Scores:
    """The table of runs by condition: one number a seed."""

    def __init__(self, runs: pd.DataFrame) -> None:
        """Take the table `edgebias.train.damage.run_table.DAMAGE_RUN`."""
        self._by: dict[tuple[Any, ...], pd.DataFrame] = {
            key: rows.set_index("seed").sort_index()
            for key, rows in runs.groupby(["damage", "level", "weighting", "adaptation", "domain"], sort=True)
        }

    @property
    def conditions(self) -> list[Key]:
        """Every condition with its adaptation, sorted."""
        return list(dict.fromkeys((str(d), float(level), str(w), str(a)) for d, level, w, a, _ in self._by))

    def of(self, key: Key, domain: str, measure: str) -> pd.Series[float]:
        """Return the numbers by seed; of `BETWEEN` the difference of both domains."""
        if domain == BETWEEN:
            return self.of(key, OUT_OF_DOMAIN, measure) - self.of(key, IN_DOMAIN, measure)
        found: pd.Series[float] = self._by[(*key, domain)][measure]
        return found


def effect_table(runs: pd.DataFrame, confidence: float, correction: str) -> pd.DataFrame:
    """Return `DAMAGE_EFFECT`: every damage and level against undamaged data."""
    scores = Scores(runs)
    rows = [
        {"damage": key[0], "level": key[1], "adaptation": key[3], "domain": domain, "measure": measure}
        | _compared(scores, (key, "damaged"), ((CLEAN, 0.0, UNWEIGHTED, key[3]), "clean"), domain, measure, confidence)
        for key in scores.conditions
        if key[0] != CLEAN and key[2] == UNWEIGHTED and key[3] in READ
        for domain, measure in _places(key[3])
    ]
    return _corrected(rows, DAMAGE_EFFECT, correction)


def dose_table(runs: pd.DataFrame, confidence: float, correction: str) -> pd.DataFrame:
    """Return `DAMAGE_DOSE`: a least-squares slope for each seed, and their mean."""
    scores = Scores(runs)
    rows = []
    for damage in DAMAGES:
        for adaptation in READ:
            levels = [key for key in scores.conditions if key[0] == damage and key[2:] == (UNWEIGHTED, adaptation)]
            keys = [(CLEAN, 0.0, UNWEIGHTED, adaptation), *levels]
            doses = np.array([dose(damage, key[1]) for key in keys])
            for domain, measure in _places(adaptation):
                table = pd.concat([scores.of(key, domain, measure) for key in keys], axis=1).to_numpy(np.float64)
                centred = doses - doses.mean()
                found = over_seeds(table @ centred / (centred @ centred), confidence)
                rows.append(
                    {"damage": damage, "adaptation": adaptation, "domain": domain, "measure": measure}
                    | {"unit": "tenfold" if damage == LONG_TAIL else "tenth", "slope": found.mean}
                    | {"low": found.low, "high": found.high, "p": found.p}
                    | {"n_levels": len(keys), "n_seeds": len(table)}
                )
    return _corrected(rows, DAMAGE_DOSE, correction)


def dose(damage: str, level: float) -> float:
    """Return the level in units of the slope: tenths of what is damaged, or powers of ten of the imbalance."""
    if damage == LONG_TAIL:
        return math.log10(level) if level else 0.0
    return 10.0 * level


def mended_table(runs: pd.DataFrame, confidence: float, correction: str) -> pd.DataFrame:
    """Return `DAMAGE_MENDED`: each mitigation at the worst level, against what would be done without it."""
    scores = Scores(runs)
    rows = [
        {"damage": new[0], "level": new[1], "method": method, "against": old[3], "domain": domain, "measure": measure}
        | _compared(scores, (new, "mended"), (old, "without"), domain, measure, confidence)
        | {"undamaged": float(scores.of((CLEAN, 0.0, UNWEIGHTED, old[3]), domain, measure).mean())}
        for method, new, old in _mitigations(scores.conditions)
        for domain, measure in _places(LINEAR)
    ]
    return _corrected(rows, DAMAGE_MENDED, correction)


def _mitigations(keys: Sequence[Key]) -> Iterator[tuple[str, Key, Key]]:
    """Yield each method with what it is and what it is compared with."""
    for key in keys:
        damage, level, weighting, adaptation = key
        if weighting == REWEIGHTED:
            yield REWEIGHTED, key, (damage, level, UNWEIGHTED, adaptation)
        elif adaptation == NETWORK:
            yield NETWORK, key, (damage, level, UNWEIGHTED, LINEAR)
        elif adaptation == SPECTRUM:
            yield SPECTRUM, key, (damage, level, UNWEIGHTED, LINEAR)
            yield SPECTRUM, key, (damage, level, UNWEIGHTED, NETWORK)


def _places(adaptation: str) -> Iterator[tuple[str, str]]:
    """Yield domains and measures; what is measured on frozen features is listed with the probe alone."""
    for domain in (*DOMAINS, BETWEEN):
        for measure in MEASURES:
            if adaptation != OWN or measure not in OF_FEATURES:
                yield domain, measure


def _compared(
    scores: Scores, first: tuple[Key, str], second: tuple[Key, str], domain: str, measure: str, confidence: float
) -> dict[str, Any]:
    """Return the columns of `_contrast` but the corrected p-value, over the seeds that both have."""
    values = pd.concat([scores.of(key, domain, measure) for key, _ in (first, second)], axis=1, join="inner")
    one, other = values.to_numpy(np.float64).T
    found = over_seeds(one - other, confidence)
    return {
        first[1]: float(one.mean()),
        second[1]: float(other.mean()),
        "change": found.mean,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "minimum_detectable_effect": DETECTABLE_FACTOR * found.error if found.error else math.nan,
        "n_seeds": len(one),
    }


def _corrected(rows: Sequence[Mapping[str, Any]], table: Table, correction: str) -> pd.DataFrame:
    """Return the rows as a table, with p-values corrected within each measure."""
    found = pd.DataFrame(list(rows))
    adjust: Callable[[pd.Series[float]], list[float]] = lambda p: corrected(p.to_list(), correction)  # noqa: E731
    found["p_corrected"] = found.groupby("measure")["p"].transform(adjust)
    return found[list(table.names)]

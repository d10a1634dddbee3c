"""Invented networks on damaged images, whose effects are known exactly."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from edgebias.train.damage.images import DOMAINS, OUT_OF_DOMAIN
from edgebias.train.damage.run_table import (
    DAMAGE_RUN,
    LONG_TAIL,
    NETWORK,
    OWN,
    REWEIGHTED,
    SPECTRUM,
    TRIGGER,
    UNTRAINED,
)
from edgebias.train.damage.runs import conditions
from edgebias.train.damage.settings import DamageLevels

LEVELS = DamageLevels(
    corrupted=(0.4, 0.8), long_tail=(10.0, 100.0), label_noise=(0.1, 0.8), out_of_domain=(1.0,), trigger=(0.1,)
)

LOST = {"corrupted": 1.0, "long_tail": 2.0, "label_noise": 0.0, "out_of_domain": 0.5, "trigger": 0.0}
"""Points that a probe loses in-domain with each tenth of a damage, or each tenfold imbalance; outside half as many."""

WON = {NETWORK: 0.5, SPECTRUM: 2.0}
"""Points that a mitigation wins beside the probe, on clean data as well."""


def planted(seeds: int = 6, noise: Callable[[int], float] = lambda seed: 0.3 * math.sin(7.0 * seed)) -> pd.DataFrame:
    """Return a table of runs. A seed moves undamaged scores by 10 x seed, and losses by ``noise`` in proportion."""
    rows = []
    for seed in range(seeds):
        for condition in conditions(LEVELS):
            level = math.log10(condition.level) if condition.damage == LONG_TAIL else 10 * condition.level
            lost = LOST.get(condition.damage, 0.0) * level * (1.0 + noise(seed))
            lost = 20.0 + noise(seed) if condition.damage == UNTRAINED else lost
            for adaptation in condition.adaptations:
                for domain in DOMAINS:
                    half = 0.5 if domain == OUT_OF_DOMAIN else 1.0
                    twice = 2.0 if adaptation == OWN else 1.0
                    won = WON.get(adaptation, 0.0) * (1.0 + noise(seed + 1))
                    mended = 3.0 + noise(seed) if condition.weighting == REWEIGHTED else 0.0
                    clean = 90.0 - 0.1 * seed
                    accuracy = clean - half * twice * lost + won
                    planted_here = condition.damage == TRIGGER
                    rows.append(
                        {"damage": condition.damage, "level": condition.level, "weighting": condition.weighting}
                        | {"seed": seed, "adaptation": adaptation, "domain": domain, "accuracy": accuracy}
                        | {"rare_digits": accuracy - lost + mended, "worst_digit": accuracy - 10.0}
                        | {"trigger_success": 40.0 * half * twice + noise(seed) if planted_here else 2.0}
                        | {"effective_rank": 15.0 - 0.2 * lost, "largest_share": 0.2}
                    )
    return pd.DataFrame(rows, columns=list(DAMAGE_RUN.names))

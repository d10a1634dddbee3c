"""Effects, slopes and mitigations of invented networks whose losses are known."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from damage_runs import LEVELS, LOST, WON, planted
from scipy.stats import ttest_1samp

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.train.damage.effects import (
    BETWEEN,
    DAMAGE_DOSE,
    DAMAGE_EFFECT,
    DAMAGE_MENDED,
    dose_table,
    effect_table,
    mended_table,
    over_seeds,
)
from edgebias.train.damage.images import IN_DOMAIN, OUT_OF_DOMAIN
from edgebias.train.damage.run_table import DAMAGE_RUN, LINEAR, NETWORK, OWN, REWEIGHTED, SPECTRUM

HALVES = {IN_DOMAIN: 1.0, OUT_OF_DOMAIN: 0.5, BETWEEN: -0.5}


@cache
def without_noise() -> pd.DataFrame:
    """Runs of networks that do not differ by seed."""
    return planted(noise=lambda seed: 0.0)


@cache
def exact() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Their effects and slopes: made when asked for, never while tests are collected."""
    return effect_table(without_noise(), 0.95, "holm"), dose_table(without_noise(), 0.95, "holm")


def row(table: pd.DataFrame, **where: object) -> pd.Series:
    chosen = table.loc[np.logical_and.reduce([table[name] == value for name, value in where.items()])]
    assert len(chosen) == 1, where
    return chosen.iloc[0]


def test_an_interval_over_seeds_is_that_of_a_t_test() -> None:
    values = np.array([1.0, 3.0, 2.0, 7.0, -1.0])
    theirs = ttest_1samp(values, 0.0)
    limits = theirs.confidence_interval(0.9)
    mine = over_seeds(values, 0.9)
    assert (mine.mean, mine.p) == pytest.approx((values.mean(), theirs.pvalue))
    assert (mine.low, mine.high) == pytest.approx((limits.low, limits.high))


@pytest.mark.parametrize(
    ("values", "mean", "p"),
    [([], math.nan, math.nan), ([2.0], 2.0, math.nan), ([2.0, 2.0, 2.0], 2.0, math.nan), ([0.0, 0.0], 0.0, 1.0)],
)
def test_seeds_that_do_not_vary_have_no_interval(values: list[float], mean: float, p: float) -> None:
    """Where seeds agree nothing tells how far others would lie; where nothing ever differs it is no effect."""
    found = over_seeds(np.array(values), 0.95)
    assert (found.mean, found.p) == pytest.approx((mean, p), nan_ok=True)
    assert math.isnan(found.low) == math.isnan(p)


@pytest.mark.parametrize("damage", ["corrupted", "long_tail", "label_noise", "out_of_domain"])
@pytest.mark.parametrize("domain", [IN_DOMAIN, OUT_OF_DOMAIN, BETWEEN])
@pytest.mark.parametrize("adaptation", [OWN, LINEAR])
def test_planted_losses_are_found_to_the_point(damage: str, domain: str, adaptation: str) -> None:
    """Seeds differ by ten points, and no effect does: each comparison is within its seed."""
    twice = 2.0 if adaptation == OWN else 1.0
    effects, doses = exact()
    for level in getattr(LEVELS, damage):
        dose = math.log10(level) if damage == "long_tail" else 10 * level
        where = {"damage": damage, "level": level, "adaptation": adaptation, "domain": domain}
        found = row(effects, **where, measure="accuracy")
        assert found["change"] == pytest.approx(-LOST[damage] * dose * HALVES[domain] * twice, abs=1e-9)
        assert found["damaged"] - found["clean"] == pytest.approx(found["change"])
    slope = row(doses, damage=damage, adaptation=adaptation, domain=domain, measure="accuracy")
    assert slope["slope"] == pytest.approx(-LOST[damage] * HALVES[domain] * twice, abs=1e-9)


def test_a_damage_that_does_nothing_has_no_effect_and_no_doubt_is_left_about_the_others() -> None:
    effects = effect_table(planted(), 0.95, "holm")
    nothing = row(effects, damage="label_noise", level=0.8, adaptation=LINEAR, domain=IN_DOMAIN, measure="accuracy")
    assert tuple(nothing[["change", "low", "high", "p_corrected"]]) == (0.0, 0.0, 0.0, 1.0)
    worse = row(effects, damage="corrupted", level=0.8, adaptation=LINEAR, domain=IN_DOMAIN, measure="accuracy")
    assert worse["p_corrected"] < 0.01
    assert worse["high"] < 0
    assert worse["p"] < worse["p_corrected"]


def test_mitigations_win_what_was_planted() -> None:
    mended = mended_table(without_noise(), 0.95, "holm")
    where = {"damage": "corrupted", "domain": OUT_OF_DOMAIN, "measure": "accuracy"}
    assert row(mended, **where, method=SPECTRUM, against=LINEAR)["change"] == pytest.approx(WON[SPECTRUM])
    both = row(mended, **where, method=SPECTRUM, against=NETWORK)
    assert both["change"] == pytest.approx(WON[SPECTRUM] - WON[NETWORK])
    assert both["level"] == max(LEVELS.corrupted)
    weighted = row(mended, method=REWEIGHTED, against=LINEAR, domain=IN_DOMAIN, measure="rare_digits")
    assert (weighted["damage"], weighted["change"]) == ("long_tail", pytest.approx(3.0))
    clean = without_noise().query("damage == 'none' and adaptation == 'linear'")
    assert weighted["undamaged"] == pytest.approx(clean["rare_digits"].mean())
    assert set(mended["damage"]) == {"none", *LOST}


def test_the_stage_writes_its_tables_the_same_each_time(tmp_path: Path) -> None:
    runs = tmp_path / "runs.csv"
    DAMAGE_RUN.write(planted(), runs)
    outputs = {name: tmp_path / f"{name}.csv" for name in ("effects", "doses", "mended")}
    arguments = ["--settings", '{"compare": {}}', "--runs", str(runs)]
    arguments += [part for name, path in outputs.items() for part in (f"--{name}", str(path))]
    command("damage")(arguments)
    first = {name: path.read_bytes() for name, path in outputs.items()}
    command("damage")(arguments)
    assert first == {name: path.read_bytes() for name, path in outputs.items()}
    for table, name in ((DAMAGE_EFFECT, "effects"), (DAMAGE_DOSE, "doses"), (DAMAGE_MENDED, "mended")):
        table.check(pd.read_csv(outputs[name]), name)


def test_a_table_of_other_runs_is_one_line(tmp_path: Path) -> None:
    runs = tmp_path / "runs.csv"
    planted().replace("corrupted", "corupted").to_csv(runs, index=False)
    arguments = ["--settings", '{"compare": {}}', "--runs", str(runs)]
    arguments += [part for name in ("effects", "doses", "mended") for part in (f"--{name}", str(tmp_path / name))]
    with pytest.raises(InputError, match=r"runs\.csv: row .*'corupted'.*write it anew with `edgebias damage-runs`"):
        command("damage")(arguments)
    assert not (tmp_path / "effects").exists()

"""The printed table of 50 compressed models, read again: figures that were computed by hand before."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pandas as pd
import pytest

from edgebias.report.sections.compression.paper import (
    paper_sentences,
    regressed,
    regression_table,
    seed_table,
    seeded,
)

ROOT = Path(__file__).parents[3]
PRINTED = ROOT / "data/paper/compressed_trust.csv"
SOURCE = Path(os.environ.get("EDGEBIAS_GOLDEN", str(ROOT.parent / "shared/golden"))) / "comp-trust" / "num_sheet.csv"


@pytest.fixture(scope="module")
def printed() -> pd.DataFrame:
    return pd.read_csv(PRINTED)


@pytest.mark.parametrize(
    ("dimension", "column", "r"),
    [
        ("stereotype", "refusal", 0.55),
        ("toxicity", "refusal", 0.91),
        ("privacy", "refusal", 0.76),
        ("fairness", "ability", -0.48),
    ],
)
def test_correlations_as_computed_before(printed: pd.DataFrame, dimension: str, column: str, r: float) -> None:
    found = next(one for one in regressed(printed) if one.dimension == dimension)
    interval = found.refusal if column == "refusal" else found.ability
    assert interval.estimate == pytest.approx(r, abs=0.005)
    assert interval.low < r < interval.high
    assert (interval.low > 0) == (r > 0)


def test_the_interval_is_fishers(printed: pd.DataFrame) -> None:
    from scipy.stats import pearsonr

    found = next(one for one in regressed(printed) if one.dimension == "privacy").refusal
    peer = pearsonr(printed["privacy"], printed["privacy_refusal"]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(peer))


def test_seed_ranges_as_computed_before(printed: pd.DataFrame) -> None:
    ranges = {(one.setting, one.dimension): (one.least, one.most) for one in seeded(printed) if one.seeds == 3}
    gptq = next(setting for setting, _ in ranges if "gptq" in setting and "3bit" in setting)
    sparse = next(setting for setting, _ in ranges if "sparsegpt" in setting)
    assert ranges[gptq, "ethics"] == (41.3, 60.6)
    assert ranges[sparse, "ethics"] == (33.1, 65.6)
    assert ranges[sparse, "stereotype"] == (77.0, 94.0)
    assert len({setting for setting, _ in ranges}) == 4


def test_sentences_and_tables_say_the_same(printed: pd.DataFrame) -> None:
    said = " ".join(paper_sentences(printed))
    assert "toxicity (r = +0.91 [0.84, 0.95])" in said
    assert "r = −0.48 [−0.67, −0.23] with MMLU" in said
    assert "ethics by up to 32.5 points" in said
    assert regression_table(printed).rows[0][1] == "+0.91 [0.84, 0.95]"
    assert "33.1 to 65.6" in {value for row in seed_table(printed).rows for value in row}


@pytest.mark.skipif(not SOURCE.exists(), reason="the authors' sheet is not here")
def test_no_printed_value_was_changed(printed: pd.DataFrame) -> None:
    with SOURCE.open(encoding="utf-8") as file:
        sheet = {row["Model"]: row for row in csv.DictReader(file)}
    names = {"toxicity": "Toxicity", "stereotype": "Stereotype", "ethics": "Ethics", "fairness": "Fairness"}
    names |= {"adversarial_robustness": "AdvGLUE++", "out_of_distribution": "OOD", "privacy": "Privacy"}
    names |= {"adversarial_demonstrations": "Adv Demo"}
    assert set(printed["model"]) == set(sheet)
    for row in printed.to_dict("records"):
        theirs = sheet[row["model"]]
        assert row["mmlu"] == float(theirs["MMLU"])
        for ours, name in names.items():
            assert row[ours] == float(theirs[name])
            assert row[f"{ours}_refusal"] == float(theirs[f"{name} Ref"])

"""Mixtures of original and augmented examples in a study: what parameters must agree on, and which build has one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from dry_run import plan

from edgebias import config as params
from edgebias.core.errors import InputError
from edgebias.study import RAW, Study
from edgebias.suites.occupation_sentences import FILES

ROOT = Path(__file__).resolve().parents[2]
WRITER = {"environment": "edge", "model": "smollm2-135m-instruct", "variant": "full"}
MIXTURES = {
    "ratio_00": {"ratio": 0},
    "ratio_50": {"ratio": 0.5, "bias": "contextual_explicit"},
    "ratio_50_token": {"ratio": 0.5, "bias": "contextual_explicit", "mitigation": "token", "seed": 3},
}
VARIANTS = {
    "half": {"from": "full", "train": {"data": "data/items/mine/mixture_ratio_50_token.parquet"}},
    "half_q8_0": {"from": "half", "quantise": "Q8_0"},
    "other": {"from": "full", "train": {"data": "other.jsonl"}},
}


def study(**sections: object) -> Study:
    """The default study with ``sections`` laid over it, called mine."""
    config = params.merge(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")), sections)
    return Study(params.check(config, "mine.yaml"), "mine")


def test_a_build_has_the_mixture_that_it_or_its_parent_is_trained_on() -> None:
    mine = study(mixtures=MIXTURES, variants=VARIANTS)
    found = mine.mixture_of("half")
    assert found is not None
    assert (found.ratio, found.bias, found.mitigation, found.seed) == (0.5, "contextual_explicit", "token", 3)
    assert found.augmented_per_job == 20
    assert mine.mixture_of("half_q8_0") == found
    assert [mine.mixture_of(name) for name in ("full", "q8_0", "other")] == [None, None, None]
    assert mine.mixture("ratio_00") == "data/items/mine/mixture_ratio_00.parquet"


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"mixtures": {"a": {"ratio": 0.5}}}, ["mixtures.a", "bias is left out"]),
        ({"mixtures": {"a": {"ratio": 0, "mitigation": "mask"}}}, ["mixtures.a", "mitigation", "ratio 0"]),
        ({"mixtures": {"a": {"ratio": 0.2, "bias": "explicit"}}}, ["mixtures.a.bias", "contextual_explicit"]),
        ({"mixtures": {"a": {"ratio": 0, "per_job": 1}}}, ["mixtures.a.per_job", "from 2 to 10000"]),
        ({"mixtures": {"../a": {"ratio": 0}}}, ["../a", "letters, digits"]),
        (
            {"mixtures": MIXTURES, "augmentation": {"texts_per_job": 10}},
            ["mixtures.ratio_50", "wants 20", "texts_per_job is 10"],
        ),
        (
            {"augmentation": {"writer": {**WRITER, "variant": "q2"}}},
            ["augmentation.writer", "edge/smollm2-135m-instruct/q2"],
        ),
    ],
)
def test_mixtures_that_cannot_be_made_are_refused_in_one_line(sections: dict[str, object], words: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        study(**sections)
    assert "\n" not in str(refused.value)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.slow
def test_a_build_waits_for_its_mixture_and_the_mixture_for_the_texts_of_its_bias(copy_checkout, tmp_path: Path) -> None:
    """A mixture without augmented texts waits for none."""
    checkout = copy_checkout(tmp_path / "checkout")
    variants = {
        name: {"from": "full", "train": {"data": f"data/items/mine/mixture_{name}.parquet", "threads": 1}}
        for name in ("ratio_00", "ratio_50")
    }
    cells = [{**WRITER, "variants": ["full", *variants]}]
    del cells[0]["variant"]
    mixtures = {name: MIXTURES[name] for name in variants}
    overlay = checkout / "mine.yaml"
    overlay.write_text(
        yaml.safe_dump({"study": {"cells": cells, "methods": []}, "mixtures": mixtures, "variants": variants}),
        encoding="utf-8",
    )
    for file in FILES:
        path = checkout / RAW / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    planned = plan(checkout, "--printshellcmds", "--configfile", "mine.yaml")
    assert planned.returncode == 0, planned.stderr
    commands = [line.strip() for line in planned.stdout.splitlines() if "-m edgebias" in line]
    written = sorted(line for line in commands if " augment " in line)
    assert all(
        f"--kind {kind} " in line for kind, line in zip(["contextual_explicit", "neutral"], written, strict=True)
    )
    texts = "results/mine/augmented/edge/smollm2-135m-instruct/full/contextual_explicit.parquet"
    made = sorted(line for line in commands if " mixture " in line)
    assert [f"--texts {texts}" in line for line in made] == ["ratio_50" in line for line in made]
    assert sum(f"mixture_{name}.parquet" in line for name in variants for line in made) == len(made) == 2
    assert sum(" train " in line for line in commands) == 2


@pytest.mark.slow
def test_the_study_of_bias_inheritance_plans_its_texts_mixtures_and_builds(copy_checkout, tmp_path: Path) -> None:
    planned = plan(copy_checkout(tmp_path / "checkout"), "--quiet", "host", "--config", "study=inheritance")
    assert planned.returncode == 0, planned.stderr
    counts = dict(re.findall(r"^(\w+)\s+(\d+)$", planned.stdout, re.MULTILINE))
    assert [counts[rule] for rule in ("augment", "mixture", "train", "misalignment")] == ["2", "8", "9", "1"]
    assert counts["fetch_benchmark_file"] == str(len(FILES))


def test_every_build_of_the_study_has_its_mixture() -> None:
    config = params.load(ROOT / "params.yaml", ROOT / "config" / "inheritance.yaml")
    inheritance = Study(config, "inheritance")
    found = {cell.variant: inheritance.mixture_of(cell.variant) for cell in inheritance.cells}
    assert found.pop("full") is None
    told = {name: (one.ratio, one.mitigation, one.seed) for name, one in found.items() if one is not None}
    assert told == {
        "ratio_00": (0, "none", 0),
        "ratio_00_again": (0, "none", 1),
        "ratio_05": (0.05, "none", 0),
        "ratio_10": (0.1, "none", 0),
        "ratio_20": (0.2, "none", 0),
        "ratio_50": (0.5, "none", 0),
        "ratio_50_token": (0.5, "token", 0),
        "ratio_50_mask": (0.5, "mask", 0),
        "ratio_50_loss": (0.5, "none", 0),
    }
    assert [name for name, how in inheritance.trainings.items() if how.align > 0] == ["ratio_50_loss"]

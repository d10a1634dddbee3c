"""A suite with a metric, a backend and a method from outside the package, through the whole pipeline."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "tests" / "plugins"
EDGE = {"environment": "edge", "model": "smollm2-135m-instruct", "variant": "full"}
GUESS = {"environment": "guess", "model": "nobody", "variant": "full"}
STUDY = {
    "plugins": ["boss_suite", "uniform_backend", "shortest_option"],
    "study": {
        "title": "Plugins",
        "suites": ["boss", "stereoset"],
        "cells": [
            {"environment": "edge", "model": "smollm2-135m-instruct", "variants": ["full"]},
            {"environment": "guess", "model": "nobody", "variants": ["full"]},
        ],
        "rounds": [],
        "robustness": [],
        "layer_probes": [],
        "methods": ["none", {"method": "shortest_option", "penalty": 2}],
        "edge_build": EDGE,
        "desktop_build": EDGE,
        "cloud_build": GUESS,
    },
    "models": {"nobody": {"licence": "none: it has no weights"}},
    "environments": {"guess": {"backend": "uniform", "reply": "B", "threads": 1, "context": 512}},
    "prompts": {
        "boss": {"items_per_cluster": 0, "clusters_per_category": 0},
        "stereoset": {"items_per_cluster": 1, "clusters_per_category": 6},
    },
    "infer": {"formats": {"boss": ["likelihood", "letter"]}, "max_new_tokens": 4},
    "score": {"resamples": 200},
    "compare": {"resamples": 200},
    "mitigate": {"resamples": 200, "perplexity_sentences": 12, "reference_answers": {"topics": 2, "tokens": 8}},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, copy_checkout: Callable[[Path], Path]) -> Path:
    """A finished run of a study that names the three plugins."""
    folder = copy_checkout(tmp_path_factory.mktemp("plugins"))
    for name in STUDY["plugins"]:
        shutil.copy(PLUGINS / f"{name}.py", folder)
    (folder / "data/boss").mkdir()
    (folder / "data/boss/jobs.txt").write_text("nurse\nguard\nclerk\nbaker\npilot\ncook\n")
    (folder / "config/plugins.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    snakemake = Path(sys.executable).with_name("snakemake")
    command = [str(snakemake), "--cores", "2", "--config", "study=plugins"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ, check=False)
    assert run.returncode == 0, f"{run.stdout[-2000:]}\n{run.stderr[-6000:]}"
    return folder / "results" / "plugins"


def test_suite_and_metric_of_a_plugin(study: Path) -> None:
    scores = pd.read_csv(study / "scores/edge/smollm2-135m-instruct/full/boss.csv")
    overall = scores[scores["category"] == "all"]
    assert {"man_is_boss"} <= set(overall["metric"])
    assert set(overall["format"]) == {"likelihood", "letter"}
    assert overall.loc[overall["metric"] == "man_is_boss", "n_clusters"].max() == 6


def test_backend_of_a_plugin(study: Path) -> None:
    """Every letter is B and every character as likely as another, so the order of the options decides: half of them."""
    answers = pd.read_parquet(study / "responses/guess/nobody/full/boss.parquet")
    letters = answers[answers["format"] == "letter"]
    assert set(letters["text"]) == {"B"}
    scores = pd.read_csv(study / "scores/guess/nobody/full/boss.csv")
    rate = scores[(scores["metric"] == "man_is_boss") & (scores["category"] == "all")].set_index("format")["estimate"]
    assert rate.to_dict() == {"likelihood": 50.0, "letter": 50.0}


def test_method_of_a_plugin(study: Path) -> None:
    folder = study / "mitigation/edge/smollm2-135m-instruct/full"
    labels = {path.parent.name for path in folder.glob("*/scores.csv")}
    label = next(iter(labels - {"none"}))
    assert label.startswith("shortest_option")
    before, after = (pd.read_parquet(folder / name / "responses.parquet") for name in ("none", label))
    shift = [(old - new).tolist() for old, new in zip(before["option_logprobs"], after["option_logprobs"], strict=True)]
    counts = [[2.0 * count for count in row] for row in before["n_tokens"]]
    assert shift == [pytest.approx(row) for row in counts]


def test_report_of_a_study_with_plugins(study: Path) -> None:
    page = (study / "report/index.html").read_text(encoding="utf-8").replace("<wbr>", "")
    assert "Who is the boss?" in page
    assert "shortest_option_penalty_2" in page
    assert "No mitigation method was evaluated" not in page

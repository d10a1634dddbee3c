"""Training of the default model itself; needs its full build in both layouts (`make data`)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trained_build import Trained, arguments

from edgebias.cli import command

CHECKOUT = Path(__file__).parents[3]
PARENT = CHECKOUT / "data/models/smollm2-135m-instruct/full.gguf"
FOLDER = PARENT.with_name("full.transformers")
TEXTS = CHECKOUT / "data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json"

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(
        not all(path.exists() for path in (PARENT, FOLDER / "config.json", TEXTS)),
        reason=f"{FOLDER.name} is not there; run `make data`",
    ),
]


def test_a_few_steps_lower_the_held_out_loss_of_the_default_model(examples: Path, tmp_path: Path) -> None:
    section = {"data": str(examples), "steps": 4, "evaluate_every": 2, "warmup": 1, "learning_rate": 1e-3, "threads": 2}
    command("train")(arguments(PARENT, TEXTS, tmp_path, section))
    made = Trained(tmp_path)
    told = made.training["held_out_loss"]
    assert told["after"] < 0.8 * told["before"]
    assert told["exported"] == pytest.approx(told["after"], abs=0.02)
    assert made.training["parity"]["max_abs_difference"] <= 0.002
    record = json.loads(made.files[1].read_text(encoding="utf-8"))
    assert record["requested_type"] == "F16"
    assert 10 < record["perplexity"]["value"] < 200


def test_preferences_are_learned_by_the_default_model(preferences: Path, tmp_path: Path) -> None:
    section = {"data": str(preferences), "objective": "preference", "steps": 4, "evaluate_every": 4, "warmup": 1}
    command("train")(arguments(PARENT, TEXTS, tmp_path, section | {"learning_rate": 1e-3, "threads": 2}))
    training = Trained(tmp_path).training
    assert training["held_out_loss"]["after"] < 0.65 < training["held_out_loss"]["before"]
    assert training["held_out_accuracy"] > 0.8

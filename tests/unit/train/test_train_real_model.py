"""Training of the default model itself; needs its full build in both layouts (`make data`)."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from occupation_files import occupation_rows, write_names_and_words, write_sentences
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


def test_what_the_default_model_writes_is_mixed_in_and_trained_on_with_the_term_of_the_loss(tmp_path: Path) -> None:
    """Four texts of each job, of which most are kept; two steps on half of them and half of real sentences."""
    raw, texts, examples = tmp_path / "raw", tmp_path / "texts.parquet", tmp_path / "mixture.parquet"
    write_sentences(raw, occupation_rows(women=20, men=20))
    write_names_and_words(raw)
    settings = {
        "seed": 1,
        "augmentation": {"texts_per_job": 4},
        "infer": {"formats": {}},
        "models.m": {"start_token": "<|endoftext|>"},
        "environments.edge": {"backend": "llama", "threads": 1, "memory_mb": 65536, "context": 1024},
    }
    given = ["--kind", "contextual_explicit", "--raw-folder", raw, "--weights", PARENT, "--output", texts]
    command("augment")(["--settings", json.dumps(settings), "--cost", str(tmp_path / "cost.json"), *map(str, given)])
    written = pd.read_parquet(texts)
    kept = written[written["outcome"] == "kept"]
    assert len(written) == 24
    assert len(kept) >= 12
    assert kept.groupby("job").size().reindex(written["job"].unique(), fill_value=0).min() >= 1
    settings = {"seed": 1, "mixtures.m": {"ratio": 0.5, "bias": "contextual_explicit", "per_job": 2}}
    given = ["--raw-folder", raw, "--texts", texts, "--output", examples]
    command("mixture")(["--settings", json.dumps(settings), *map(str, given)])
    section = {
        "data": str(examples),
        "wording": "text",
        "steps": 2,
        "batch": 6,
        "warmup": 0,
        "align": 10,
        "held_out": 6,
    }
    command("train")(arguments(PARENT, TEXTS, tmp_path, section | {"learning_rate": 1e-3, "evaluate_every": 2}))
    training = Trained(tmp_path).training
    assert training["held_out_loss"]["after"] < 0.8 * training["held_out_loss"]["before"]
    assert training["parity"]["max_abs_difference"] <= 0.002

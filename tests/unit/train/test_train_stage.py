"""`edgebias train` on a tiny model: what it writes, that it learns, and that the same bytes come out."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from trained_build import Train, Trained, arguments
from transformers import AutoModelForCausalLM

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.models.convert import convert
from edgebias.models.gguf import open_gguf, values
from edgebias.models.quantise import write_quantised
from edgebias.train.adapter import merged, trainable
from edgebias.train.examples import read_examples
from edgebias.train.losses import log_probabilities
from edgebias.train.optimise import batch_of, held_out_loss
from edgebias.train.settings import TrainSettings
from edgebias.train.tokens import Tokeniser, TokenSequence, requests_of

QUICK = {"steps": 12, "batch": 4, "evaluate_every": 4, "warmup": 1, "learning_rate": 0.01}


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_loss_falls_on_held_out_clusters_and_the_file_is_the_trained_model(
    method: str, train: Train, examples: Path, parent: Path, tmp_path: Path
) -> None:
    """The held-out loss is computed once more from the GGUF file alone, converted back."""
    made = train(examples, method=method, **QUICK)
    told = made.training["held_out_loss"]
    assert told["after"] < 0.8 * told["before"]
    assert told["exported"] == pytest.approx(told["after"], abs=0.01)
    assert made.training["parity"]["max_abs_difference"] <= 0.002
    assert made.training["parity"]["n_options"] == 4
    convert(made.weights, tmp_path / "back")
    requests = requests_of(read_examples(examples, "response").query("split == 'held_out'"), "response", "chat")
    tokeniser = Tokeniser(tmp_path / "back", {})
    held_out = [tokeniser.example(row, request) for row, request in enumerate(requests)]
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "back", dtype=torch.float32)
    assert held_out_loss(model, held_out, None)[0] == pytest.approx(told["exported"], abs=1e-4)


def test_adapters_leave_embeddings_and_norms_and_full_training_moves_them(
    train: Train, examples: Path, parent: Path
) -> None:
    before = {tensor.name: values(tensor) for tensor in open_gguf(parent).tensors}
    moved = {}
    for method in ("lora", "full"):
        made = train(examples, into=method, method=method, **{**QUICK, "patience": None})
        after = open_gguf(made.weights).tensors
        assert [str(t.tensor_type) for t in after] == [str(t.tensor_type) for t in open_gguf(parent).tensors]
        moved[method] = {tensor.name for tensor in after if not np.array_equal(values(tensor), before[tensor.name])}
    assert all(name.startswith("blk.") and "norm" not in name for name in moved["lora"])
    assert len(moved["lora"]) == 21
    assert moved["full"] == set(before)


@pytest.mark.slow
def test_the_same_bytes_come_out_twice_and_others_of_another_seed(train: Train, examples: Path) -> None:
    first, second = (train(examples, into=name, **QUICK) for name in ("first", "second"))
    assert first.bytes() == second.bytes()
    other = train(examples, into="other", **QUICK, seed=1)
    assert other.weights.read_bytes() != first.weights.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["response", "preference"])
def test_a_broken_off_job_goes_on_to_the_same_bytes(
    objective: str, train: Train, examples: Path, preferences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It breaks off in the seventh step; the checkpoint is that of the fourth."""
    data = examples if objective == "response" else preferences
    whole = train(data, into="whole", objective=objective, **QUICK)
    assert not any(path.exists() for path in whole.kept)
    steps, step = [], torch.optim.AdamW.step

    def breaking(self: torch.optim.AdamW, *given: object) -> object:
        steps.append(1)
        if len(steps) == 7:
            raise KeyboardInterrupt
        return step(self, *given)

    monkeypatch.setattr(torch.optim.AdamW, "step", breaking)
    with pytest.raises(KeyboardInterrupt):
        train(data, into="broken", objective=objective, **QUICK)
    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    resumed = train(data, into="broken", objective=objective, **QUICK)
    assert resumed.bytes() == whole.bytes()
    assert '"interruptions": 1' in resumed.cost.read_text(encoding="utf-8")
    assert not any(path.exists() for path in resumed.kept)


@pytest.mark.slow
def test_a_checkpoint_of_other_settings_is_not_gone_on_from(
    train: Train, examples: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = train(examples, into="whole", **QUICK)
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *given: exec("raise KeyboardInterrupt"))
        with pytest.raises(KeyboardInterrupt):
            train(examples, into="broken", **{**QUICK, "learning_rate": 0.02})
    assert train(examples, into="broken", **QUICK).bytes() == whole.bytes()
    assert "changed; training starts afresh" in capsys.readouterr().err


def test_training_stops_where_the_held_out_loss_does_not_fall_and_takes_the_best_weights(
    train: Train, examples: Path
) -> None:
    settings = {**QUICK, "learning_rate": 0.3, "steps": 40, "evaluate_every": 2, "patience": 2}
    made = train(examples, method="full", **settings)
    losses, steps = made.trajectory["held_out_loss"], made.trajectory["step"]
    assert steps.iloc[-1] < 40
    assert losses.idxmin() == len(losses) - 3
    assert made.training["step_taken"] == steps[losses.idxmin()]
    assert made.training["held_out_loss"]["exported"] == pytest.approx(losses.min(), abs=0.02)


def test_preference_tuning_raises_the_chosen_answers_of_held_out_clusters(train: Train, preferences: Path) -> None:
    made = train(preferences, objective="preference", **{**QUICK, "beta": 0.5})
    told, table = made.training["held_out_loss"], made.trajectory
    assert told["before"] == pytest.approx(math.log(2), abs=1e-5)
    assert told["after"] < 0.6 * math.log(2)
    assert math.isnan(table["held_out_accuracy"][0])
    assert made.training["held_out_accuracy"] == 1
    assert made.training["parity"]["n_options"] == 8


def test_a_trajectory_starts_before_any_step_and_counts_what_it_was_trained_on(train: Train, examples: Path) -> None:
    made = train(examples, **{**QUICK, "patience": None})
    table = made.trajectory
    assert table["step"].tolist() == [0, 4, 8, 12]
    assert table["learning_rate"].iloc[1:].is_monotonic_decreasing
    assert made.training["examples"]["train"]["examples"] == 16
    assert made.training["examples"]["train"]["clusters"] == 4
    assert table["tokens"].iloc[-1] == 3 * made.training["examples"]["train"]["answer_tokens"]


def test_a_parquet_file_and_its_json_lines_train_the_same_weights(train: Train, examples: Path) -> None:
    table = pd.read_json(examples, lines=True)
    table.assign(source="mine").to_parquet(examples.with_suffix(".parquet"))
    lines, parquet = train(examples, **QUICK), train(examples.with_suffix(".parquet"), into="parquet", **QUICK)
    assert lines.weights.read_bytes() == parquet.weights.read_bytes()


def test_merged_adapters_compute_what_the_adapters_computed(parent: Path) -> None:
    folder = parent.with_name("full.transformers")
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    sequences = [TokenSequence(tuple(range(3, 40)), 4), TokenSequence((5, 6, 7, 80, 90), 2)]
    with torch.no_grad():
        plain = log_probabilities(base, sequences)
        model = trainable(base, TrainSettings(data="examples.jsonl", rank=3)).eval()
        torch.manual_seed(5)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
        beside = log_probabilities(model, sequences)
        together = log_probabilities(merged(model), sequences)
    assert (beside - plain).abs().min() > 0.5
    assert together.tolist() == pytest.approx(beside.tolist(), abs=1e-3)


def test_each_pass_takes_every_example_once_in_an_order_of_its_own() -> None:
    first, second = (
        [place for step in steps for place in batch_of(step, 10, 4, 0)] for steps in ((0, 1, 2), (3, 4, 5))
    )
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert TrainSettings(data="a", batch=4, epochs=2).steps_of(10) == 6


def test_a_file_of_packed_weights_is_refused(parent: Path, texts: Path, examples: Path, tmp_path: Path) -> None:
    packed = tmp_path / "q8_0.gguf"
    write_quantised(parent, packed, "Q8_0")
    refused(packed, texts, tmp_path, {"data": str(examples)}, r"has type Q8_0; train a build of float weights")


def test_the_folder_of_another_build_is_refused(
    tiny: Path, parent: Path, texts: Path, examples: Path, tmp_path: Path
) -> None:
    """The file has the unrounded weights of the folder's."""
    (tmp_path / "full.transformers").symlink_to(parent.with_name("full.transformers"))
    other = tmp_path / "full.gguf"
    other.write_bytes(tiny.read_bytes())
    refused(other, texts, tmp_path, {"data": str(examples)}, r"differs from .*; make it with")


def refused(parent: Path, texts: Path, folder: Path, section: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        command("train")(arguments(parent, texts, folder, section))
    assert not Trained(folder).weights.exists()


@pytest.mark.slow
def test_weights_that_no_longer_compute_are_no_build(train: Train, examples: Path, tmp_path: Path) -> None:
    far = {**QUICK, "learning_rate": 1.0, "steps": 150, "patience": None}
    with pytest.raises(InputError, match=r"not finite.*; lower train.learning_rate"):
        train(examples, method="full", **far)
    assert not any(path.exists() for path in Trained(tmp_path / "trained").files)


def test_a_loss_that_is_not_finite_stops_in_one_line(
    train: Train, examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.Tensor.log_softmax", lambda told, dim: told * math.nan)
    with pytest.raises(InputError, match=r"the held-out loss after step 0 is not finite; lower train.learning_rate"):
        train(examples, **QUICK)

"""The loss-based term that draws original and augmented examples together: closed form, gradient, bytes, and faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from trained_build import Train, write_lines
from transformers import AutoModelForCausalLM

from edgebias.core.errors import InputError
from edgebias.core.record import checked
from edgebias.train import losses
from edgebias.train.losses import alignment, read
from edgebias.train.optimise import aligned_loss, held_out_loss
from edgebias.train.settings import TrainSettings
from edgebias.train.tokens import Example, TokenSequence

QUICK = {"steps": 12, "batch": 4, "evaluate_every": 4, "warmup": 1, "learning_rate": 0.01}
AUGMENTED = ("red", "blue")


@pytest.fixture
def mixed(examples: Path, tmp_path: Path) -> Path:
    """The examples of colours, of which a model is said to have written those of red and blue."""
    rows = [json.loads(line) for line in examples.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["origin"] = "augmented" if any(colour in row["prompt"] for colour in AUGMENTED) else "original"
    return write_lines(tmp_path / "mixed.jsonl", rows)


@pytest.mark.parametrize("align", [0.0, 0.3, 25.0])
def test_the_term_on_a_linear_model_ends_where_the_closed_form_says(align: float) -> None:
    """phi = W x: each row of W solves (X'X / n + align / width d d') w = X'y / n, d the difference of the means."""
    numbers = torch.Generator().manual_seed(3)
    inputs = torch.randn(40, 5, dtype=torch.float64, generator=numbers)
    augmented = [place % 3 == 0 for place in range(40)]
    inputs[torch.tensor(augmented)] += torch.tensor([1.0, -0.5, 0.0, 2.0, 0.3], dtype=torch.float64)
    targets = inputs @ torch.randn(5, 3, dtype=torch.float64, generator=numbers)
    targets += torch.randn(40, 3, dtype=torch.float64, generator=numbers)
    weights = torch.zeros(5, 3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200, tolerance_grad=1e-12, tolerance_change=0)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        states = inputs @ weights
        found = (states - targets).square().sum(1).mean() + align * alignment(states, augmented)
        found.backward()
        return found

    optimiser.step(loss)
    kind = torch.tensor(augmented)
    difference = inputs[~kind].mean(0) - inputs[kind].mean(0)
    square = inputs.T @ inputs / 40 + align / 3 * torch.outer(difference, difference)
    expected = torch.linalg.solve(square, inputs.T @ targets / 40)
    assert torch.allclose(weights.detach(), expected, rtol=0, atol=1e-6)


def test_the_term_is_the_mean_square_of_the_difference_of_means_and_zero_of_one_kind() -> None:
    states = torch.tensor([[1.0, 0.0], [3.0, 2.0], [0.0, 5.0]])
    assert alignment(states, [False, False, True]).item() == pytest.approx((2.0**2 + 4.0**2) / 2)
    assert alignment(states, [True, True, True]).item() == 0.0
    assert alignment(states, [False, False, False]).item() == 0.0


def test_the_gradient_of_the_term_is_that_of_finite_differences() -> None:
    states = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    kinds = [True, False, False, True, False, True, False]
    assert torch.autograd.gradcheck(lambda found: alignment(found, kinds), states, eps=1e-6, atol=1e-8)


def test_the_gradient_of_a_language_model_s_loss_is_that_of_finite_differences(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Along three directions in all weights, whether the batch is read in one pass or in several.

    Norms compute in 32 bits whatever the model is in, which bounds how near the two can come.
    """
    model = AutoModelForCausalLM.from_pretrained(parent.with_name("full.transformers"), dtype=torch.float64)
    model.eval()
    lengths = ((5, 2), (9, 4), (3, 1), (7, 2), (6, 3))
    batch = [
        Example((TokenSequence(tuple(range(20 + place, 20 + place + prompt + answer)), prompt),), (), place % 2 == 1)
        for place, (prompt, answer) in enumerate(lengths)
    ]
    one = aligned_loss(model, batch, 5.0)
    monkeypatch.setattr(losses, "PASS_TOKENS", 16)
    several = aligned_loss(model, batch, 5.0)
    assert several.item() == pytest.approx(one.item(), abs=1e-12)
    several.backward()
    weights = [weight for weight in model.parameters() if weight.grad is not None]
    numbers = torch.Generator().manual_seed(1)
    step = 1e-4
    for _ in range(3):
        directions = [torch.randn(weight.shape, dtype=torch.float64, generator=numbers) for weight in weights]
        slope = sum(
            float((weight.grad * along).sum())
            for weight, along in zip(weights, directions, strict=True)
            if weight.grad is not None
        )
        told = []
        for sign in (1, -1):
            with torch.no_grad():
                for weight, along in zip(weights, directions, strict=True):
                    weight += sign * step * along
                told.append(float(aligned_loss(model, batch, 5.0)))
                for weight, along in zip(weights, directions, strict=True):
                    weight -= sign * step * along
        assert (told[0] - told[1]) / (2 * step) == pytest.approx(slope, rel=3e-3)


def test_mean_states_are_those_of_the_whole_text_and_padding_has_no_part(parent: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(parent.with_name("full.transformers"), dtype=torch.float64)
    short, long = TokenSequence((5, 6, 7), 2), TokenSequence(tuple(range(30, 42)), 8)
    with torch.no_grad():
        together, states = read(model, [short, long], states=True)
        alone = model.model(input_ids=torch.tensor([short.tokens])).last_hidden_state[0].mean(0)
        without, nothing = read(model, [short, long])
    assert states is not None
    assert torch.allclose(states[0], alone, atol=1e-10)
    assert torch.equal(together, without)
    assert nothing is None


@pytest.mark.slow
def test_a_weight_of_zero_gives_the_bytes_of_none_and_another_gives_others(train: Train, mixed: Path) -> None:
    """Without the term the column of origins is not looked at."""
    without = train(mixed, into="without", **QUICK)
    zero = train(mixed, into="zero", **QUICK, align=0)
    assert zero.bytes() == without.bytes()
    some = train(mixed, into="some", **QUICK, align=1.0)
    assert some.weights.read_bytes() != without.weights.read_bytes()
    assert some.training["align"] == 1.0


@pytest.mark.slow
def test_an_aligned_job_that_breaks_off_goes_on_to_the_same_bytes(
    train: Train, mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It breaks off in the seventh step; the checkpoint is that of the fourth."""
    whole = train(mixed, into="whole", **QUICK, align=2.0)
    steps, step = [], torch.optim.AdamW.step

    def breaking(self: torch.optim.AdamW, *given: object) -> object:
        steps.append(1)
        if len(steps) == 7:
            raise KeyboardInterrupt
        return step(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", breaking)
        with pytest.raises(KeyboardInterrupt):
            train(mixed, into="broken", **QUICK, align=2.0)
    resumed = train(mixed, into="broken", **QUICK, align=2.0)
    assert resumed.bytes() == whole.bytes()
    assert '"interruptions": 1' in resumed.cost.read_text(encoding="utf-8")


def test_training_with_the_term_leaves_the_two_kinds_nearer_to_each_other(parent: Path) -> None:
    """A few steps of the loss itself on all weights; the held-out loss is the plain one."""
    apart = {}
    batch = [
        Example((TokenSequence((*range(20 + 3 * place, 26 + 3 * place), 90 + place % 2), 6),), (), place % 2 == 1)
        for place in range(8)
    ]
    for align in (0.0, 50.0):
        model = AutoModelForCausalLM.from_pretrained(parent.with_name("full.transformers"), dtype=torch.float32)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.02)
        for _ in range(8):
            optimiser.zero_grad()
            aligned_loss(model, batch, align).backward()
            optimiser.step()
        with torch.no_grad():
            _, states = read(model, [example.sequences[0] for example in batch], states=True)
            assert states is not None
            apart[align] = float(alignment(states, [bool(example.augmented) for example in batch]))
            plain = held_out_loss(model, batch, None)[0]
            assert float(aligned_loss(model, batch, align)) == pytest.approx(plain + align * apart[align], rel=1e-5)
    assert apart[50.0] < 0.5 * apart[0.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: row.pop("origin"), "column 'origin' is missing"),
        (lambda row: row.update(origin="original"), "no row of split 'train' has origin 'augmented'"),
        (lambda row: row.update(origin="own"), "'origin' is 'own'"),
    ],
)
def test_the_term_needs_both_kinds_of_examples(change: Any, words: str, train: Train, mixed: Path) -> None:
    rows = [json.loads(line) for line in mixed.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        change(row)
    write_lines(mixed, rows)
    with pytest.raises(InputError) as refused:
        train(mixed, **QUICK, align=1.0)
    assert words in str(refused.value)


def test_preference_tuning_has_no_such_term() -> None:
    with pytest.raises(InputError, match="align is given beside objective preference"):
        checked(TrainSettings, {"data": "a.jsonl", "objective": "preference", "align": 1.0}, "mine.yaml")

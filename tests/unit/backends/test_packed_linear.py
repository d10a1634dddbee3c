"""Packed linear layers against the layers whose place they take, and against PyTorch's own gradients."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from edgebias.backends.local import packed_linear
from edgebias.backends.local.packed_linear import PackedLinear, pack_linear_layers

ROUNDING = 1e-5
"""Relative to the largest value: float32 sums of at most some hundred products in another order."""


def close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return bool(((found - expected).abs() <= ROUNDING * expected.abs().max()).all())


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    shape=st.lists(st.integers(1, 9), max_size=3),
    bias=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_outputs_and_gradients_are_those_of_the_layer(
    width: int, height: int, shape: list[int], bias: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = torch.nn.Linear(width, height, bias=bias)
    packed = PackedLinear(layer, differentiable=True)
    x = torch.randn(*shape, width)
    with torch.inference_mode():
        assert close(packed(x), layer(x))
    own, ours = x.clone().requires_grad_(), x.clone().requires_grad_()
    direction = torch.randn(*shape, height)
    (layer(own) * direction).sum().backward()
    (packed(ours) * direction).sum().backward()
    assert own.grad is not None
    assert ours.grad is not None
    assert close(ours.grad, own.grad)


@pytest.mark.skipif(packed_linear.fast_type() == torch.float32, reason="the processor does not multiply bfloat16")
def test_bfloat16_inside_changes_outputs_and_gradients_by_its_rounding_alone() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(200, 300)
    packed = PackedLinear(layer, differentiable=True, dtype=torch.bfloat16)
    own, ours = (torch.randn(100, 200, generator=torch.Generator().manual_seed(1)).requires_grad_() for _ in range(2))
    direction = torch.randn(100, 300)
    for one, x in ((layer, own), (packed, ours)):
        (one(x) * direction).sum().backward()
    assert own.grad is not None
    assert ours.grad is not None
    for found, expected in ((packed(ours).detach(), layer(own).detach()), (ours.grad, own.grad)):
        assert found.dtype == torch.float32
        assert 0.0 < float((found - expected).abs().max() / expected.abs().max()) < 2**-7


def test_rows_that_do_not_lie_one_after_the_other() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(12, 7)
    x = torch.randn(12, 5).T
    assert close(PackedLinear(layer, differentiable=False)(x), layer(x).detach())


def test_a_row_has_the_same_digits_whatever_the_rows_beside_it() -> None:
    torch.manual_seed(0)
    packed = PackedLinear(torch.nn.Linear(96, 64), differentiable=False)
    x = torch.randn(300, 96)
    with torch.inference_mode():
        whole = packed(x)
        for rows in (65, 127, 128, 129, 200):
            assert packed(x[:rows]).equal(whole[:rows])


def test_a_gradient_that_was_not_prepared_for_is_refused_and_not_lost() -> None:
    packed = PackedLinear(torch.nn.Linear(4, 4), differentiable=False)
    with pytest.raises(RuntimeError, match="without it"):
        packed(torch.ones(4, requires_grad=True))


class Tied(torch.nn.Module):
    """An embedding whose weight is the head's as well, and layers that are more than a product."""

    class Scaled(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(20, 8)
        self.inner = torch.nn.Sequential(torch.nn.Linear(8, 8), self.Scaled(8, 8))
        self.narrow = torch.nn.Linear(8, 8).half()
        self.head = torch.nn.Linear(8, 20, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.inner(self.embedding(tokens)))
        return found


def test_what_is_more_than_a_float32_product_stays_as_it_is() -> None:
    torch.manual_seed(1)
    model = Tied().requires_grad_(False)
    expected = copy.deepcopy(model)
    assert pack_linear_layers(model) == 2
    assert isinstance(model.inner[0], PackedLinear)
    assert isinstance(model.head, PackedLinear)
    assert isinstance(model.inner[1], Tied.Scaled)
    assert isinstance(model.narrow, torch.nn.Linear)
    tokens = torch.arange(20)
    assert close(model(tokens), expected(tokens))
    assert model.embedding.weight.equal(expected.embedding.weight)


def no_kernel(*_: Any) -> torch.Tensor:
    raise RuntimeError("could not create a primitive")


def filled_up_rows_wrong(
    x: torch.Tensor, packed: torch.Tensor, bias: torch.Tensor | None, product: Any = packed_linear._product
) -> torch.Tensor:
    found: torch.Tensor = product(x, packed, bias)
    return found + 1e-2 * (len(x) > packed_linear.ROW_STEP)


@pytest.mark.parametrize(
    ("function", "fault"),
    [("_pack", no_kernel), ("_product", no_kernel), ("_product", filled_up_rows_wrong), (None, SimpleNamespace())],
    ids=["packing fails", "no kernel for this processor", "another product", "PyTorch without oneDNN"],
)
def test_a_machine_whose_kernels_do_something_else_keeps_its_own_layers(
    function: str | None, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if function is None:
        monkeypatch.setattr(torch.ops, "mkldnn", fault)
    else:
        monkeypatch.setattr(packed_linear, function, fault)
    model = Tied().requires_grad_(False)
    assert pack_linear_layers(model) == 0
    assert type(model.head) is torch.nn.Linear


def test_both_users_of_a_model_pack_it(tiny: Any) -> None:
    """Four products of attention and three of the feed-forward net in each of three blocks, and the head."""
    from edgebias.backends.local.torch_engine import TorchBackend
    from edgebias.mitigate.steering.steered_model import SteeredModel

    with TorchBackend(Path(tiny.folder), threads=1, context=64, start_token=None) as backend:
        assert backend.usage().notes["packed_layers"] == "22"
    steered = SteeredModel(Path(tiny.gguf), None, "")
    assert sum(isinstance(module, PackedLinear) for module in steered._model.modules()) == 22

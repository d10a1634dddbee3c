"""Linear layers of a frozen model on oneDNN, their weights laid out once for its kernels.

PyTorch multiplies float32 matrices with MKL, which takes its AVX2 kernels on processors that are not Intel's, whatever
they could do, and brings the weights into its own order at every call. oneDNN comes with PyTorch, writes its kernels
for the processor at hand, and takes weights that are in order already: ``benchmarks/matrix_products.py`` measures both.
Sums are taken in another order, so results differ by rounding.
"""

from __future__ import annotations

from typing import Any

import torch

ROW_STEP = 64
"""Rows of a product are filled up to a multiple of this, if they are more: for every number of rows oneDNN makes a
kernel that stays in memory (1.8 MB; 1.3 GB after all of BBQ). What a row gives does not depend on those beside it."""

PROBE_ROWS = 3, ROW_STEP + 1
"""Numbers of rows on which a layer must agree with the one that it takes the place of: as they are, and filled up."""

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2}
"""Largest difference allowed there, relative to the largest output: float32 sums of some thousand products, of numbers
with 24 or with 8 significant bits."""


def fast_type() -> torch.dtype:
    """Return the type whose products cost this processor least: bfloat16 where it multiplies that, else float32.

    Without such instructions oneDNN would turn bfloat16 into float32 first, or refuse it.
    """
    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16") else torch.float32


class PackedLinear(torch.nn.Module):
    """``x @ weight.T + bias`` with a frozen weight, differentiable in ``x``; float32 outside.

    Args:
        linear: the layer whose place it takes; its weight is copied.
        differentiable: hold the transposed weight too, which the gradient of ``x`` is multiplied with. Without it, a
            pass that asks for a gradient raises RuntimeError.
        dtype: what is multiplied, float32 or bfloat16; sums are float32.
    """

    def __init__(self, linear: torch.nn.Linear, *, differentiable: bool, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight = linear.weight.detach().to(dtype)
        self._bias = None if linear.bias is None else linear.bias.detach().to(dtype)
        self._packed = _pack(weight)
        self._transposed = _pack(weight.T.contiguous()) if differentiable else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output, shape (..., out_features), for ``x`` of shape (..., in_features)."""
        if not (torch.is_grad_enabled() and x.requires_grad):
            return _product(x, self._packed, self._bias)
        if self._transposed is None:
            raise RuntimeError("a gradient was asked for of layers that were packed without it")
        found: torch.Tensor = _Differentiable.apply(x, self)  # type: ignore[no-untyped-call]  # torch has no types here
        return found

    def extra_repr(self) -> str:
        """Return what `print` of a model shows of the layer."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self._bias is not None}"


class _Differentiable(torch.autograd.Function):
    """The weight is frozen, so only the gradient of the input is needed, and nothing need be kept for it."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: PackedLinear) -> torch.Tensor:
        ctx.layer = layer
        return _product(x, layer._packed, layer._bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _product(gradients[0], ctx.layer._transposed, None), None


def pack_linear_layers(
    model: torch.nn.Module, *, differentiable: bool = False, dtype: torch.dtype = torch.float32
) -> int:
    """Put packed layers in the place of a frozen model's float32 linear layers, one after the other.

    A layer of another type or class, or one whose packed product fails or is not what its own is, stays as it is; so do
    all where PyTorch was built without oneDNN. A weight that another module shares (a tied embedding) stays there, too.

    Args:
        model: changed in place.
        differentiable: whether gradients are to flow to what the layers are given.
        dtype: what is multiplied.

    Returns:
        How many layers were packed.
    """
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return 0
    packed = 0
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            # Subclasses compute something else besides.
            if type(layer) is torch.nn.Linear and layer.weight.dtype == torch.float32:
                candidate = _packed_if_alike(layer, differentiable, dtype)
                if candidate is not None:
                    setattr(parent, name, candidate)
                    packed += 1
    return packed


def _packed_if_alike(layer: torch.nn.Linear, differentiable: bool, dtype: torch.dtype) -> PackedLinear | None:
    # oneDNN raises where it has no kernel for a processor; PyTorch's own layer works there.
    try:
        packed = PackedLinear(layer, differentiable=differentiable, dtype=dtype)
        return packed if all(_alike(layer, packed, rows, TOLERANCE[dtype]) for rows in PROBE_ROWS) else None
    except RuntimeError:
        return None


def _alike(layer: torch.nn.Linear, packed: PackedLinear, rows: int, tolerance: float) -> bool:
    # Fixed numbers instead of drawn ones: the global generator belongs to whoever loads the model.
    x = torch.linspace(-1.0, 1.0, rows * layer.in_features).sin().reshape(rows, layer.in_features)
    with torch.no_grad():
        expected = layer(x)
        return bool(((packed(x) - expected).abs() <= tolerance * expected.abs().max()).all())


def _pack(weight: torch.Tensor) -> torch.Tensor:
    """Return a matrix (out, in) in the order that oneDNN's kernels read, opaque to all else."""
    packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, None)
    return packed


def _product(x: torch.Tensor, packed: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    rows = x.reshape(-1, x.shape[-1]).to(packed.dtype)
    missing = -len(rows) % ROW_STEP if len(rows) > ROW_STEP else 0
    padded = torch.nn.functional.pad(rows, (0, 0, 0, missing)) if missing else rows.contiguous()
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(padded, packed, bias, "none", [], "")
    return found[: len(rows)].reshape(*x.shape[:-1], found.shape[-1]).to(x.dtype)

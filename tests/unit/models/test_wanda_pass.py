"""The forward pass behind Wanda against a model computed in numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgebias.core.errors import InputError
from edgebias.models.prune import check_prunable, wanda_mask, write_pruned
from edgebias.models.quantise import write_quantised
from edgebias.models.wanda import importance, wanda_masks

HEADS, KV_HEADS = 4, 2
TOKENS = list(range(20, 68))


def oracle(weights: dict[str, np.ndarray], sparsity: float, *, update: bool) -> dict[str, np.ndarray]:
    """Masks for sequences of one token, where attention copies the value and rotation does not matter."""

    def norm(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-5) * scale

    masks: dict[str, np.ndarray] = {}

    def product(name: str, inputs: np.ndarray) -> np.ndarray:
        dense = weights[name].astype(np.float64)
        masks[name] = wanda_mask(dense, np.linalg.norm(inputs, axis=0), sparsity)
        return inputs @ np.where(masks[name] & update, 0, dense).T

    x = weights["token_embd.weight"][TOKENS].astype(np.float64)
    for block in range(2):
        name = f"blk.{block}."
        h = norm(x, weights[name + "attn_norm.weight"])
        product(name + "attn_q.weight", h)
        product(name + "attn_k.weight", h)
        v = product(name + "attn_v.weight", h).reshape(len(TOKENS), KV_HEADS, -1)
        x = x + product(name + "attn_output.weight", np.repeat(v, HEADS // KV_HEADS, axis=1).reshape(len(TOKENS), -1))
        h = norm(x, weights[name + "ffn_norm.weight"])
        gate, up = product(name + "ffn_gate.weight", h), product(name + "ffn_up.weight", h)
        x = x + product(name + "ffn_down.weight", gate / (1 + np.exp(-gate)) * up)
    return masks


def agreement(left: dict[str, np.ndarray], right: dict[str, np.ndarray], names: list[str]) -> float:
    return float(np.mean(np.concatenate([(left[name] == right[name]).ravel() for name in names])))


def test_every_mask_is_that_of_the_pruned_models_own_inputs(
    make_tiny: Callable[..., dict[str, np.ndarray]], tmp_path: Path
) -> None:
    path = tmp_path / "tiny32.gguf"
    weights = make_tiny(path, dtype=np.float32)
    found = wanda_masks(path, [[token] for token in TOKENS], 0.5)
    expected = oracle(weights, 0.5, update=True)
    assert sorted(found) == sorted(expected)
    assert len(found) == 14
    assert agreement(found, expected, sorted(found)) > 0.999
    later = [name for name in found if name.startswith("blk.1.")]
    assert agreement(found, oracle(weights, 0.5, update=False), later) < 0.99


def test_pruned_file_loses_exactly_the_masked_weights(
    make_tiny: Callable[..., dict[str, np.ndarray]], tmp_path: Path
) -> None:
    from edgebias.models.gguf import open_gguf

    weights = make_tiny(tmp_path / "tiny.gguf")
    masks = wanda_masks(tmp_path / "tiny.gguf", [list(range(10, 42)), list(range(50, 82))], 0.25)
    write_pruned(tmp_path / "tiny.gguf", tmp_path / "pruned.gguf", masks)
    for tensor in open_gguf(tmp_path / "pruned.gguf").tensors:
        expected = weights[tensor.name].copy()
        if tensor.name in masks:
            expected[masks[tensor.name]] = 0
            assert (masks[tensor.name].sum(axis=1) == expected.shape[1] // 4).all()
        np.testing.assert_array_equal(tensor.data, expected)


def test_importance_is_the_mean_square_of_the_dense_models_inputs(
    make_tiny: Callable[..., dict[str, np.ndarray]], tmp_path: Path
) -> None:
    path = tmp_path / "tiny32.gguf"
    weights = make_tiny(path, dtype=np.float32)
    found = importance(path, [[token] for token in TOKENS])
    assert len(found) == 14
    embedded = weights["token_embd.weight"][TOKENS].astype(np.float64)
    normed = embedded / np.sqrt((embedded**2).mean(axis=1, keepdims=True) + 1e-5) * weights["blk.0.attn_norm.weight"]
    for name in ("q", "k", "v"):
        np.testing.assert_allclose(found[f"blk.0.attn_{name}.weight"], (normed**2).mean(axis=0), rtol=1e-4)


def test_what_is_important_is_rounded_better(make_tiny: Callable[..., dict[str, np.ndarray]], tmp_path: Path) -> None:
    from edgebias.models.gguf import open_gguf, values

    make_tiny(tmp_path / "tiny.gguf", width=256)
    name = "blk.0.ffn_gate.weight"
    important = np.full(256, 1e-3, dtype=np.float32)
    important[::16] = 1
    write_quantised(tmp_path / "tiny.gguf", tmp_path / "plain.gguf", "Q2_K")
    write_quantised(tmp_path / "tiny.gguf", tmp_path / "weighted.gguf", "Q2_K", {name: important})
    dense, plain, weighted = (
        values(next(tensor for tensor in open_gguf(tmp_path / f"{file}.gguf").tensors if tensor.name == name))
        for file in ("tiny", "plain", "weighted")
    )
    assert np.square(dense - weighted)[:, ::16].mean() < 0.7 * np.square(dense - plain)[:, ::16].mean()


def test_a_quantised_parent_is_not_pruned(tiny: Path, tmp_path: Path) -> None:
    write_quantised(tiny, tmp_path / "q8_0.gguf", "Q8_0")
    with pytest.raises(InputError, match="prune a full-precision parent"):
        check_prunable(tmp_path / "q8_0.gguf")

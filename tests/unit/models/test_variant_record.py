"""What the record says of a file, against numpy and the format's definitions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType

from edgebias.core.errors import InputError
from edgebias.models.gguf import open_gguf
from edgebias.models.prune import magnitude_masks, write_pruned
from edgebias.models.quantise import check_type, known_types, write_quantised
from edgebias.models.record import base_type, describe


def test_types_and_bits_of_an_int8_file(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "q8_0.gguf"
    write_quantised(tiny, path, "Q8_0")
    record = describe(path, file_type="Q8_0", requested_sparsity=None)
    assert record["types"]["Q8_0"]["bits_per_weight"] == 8.5  # 32 int8 and one F16 scale a block
    assert record["types"]["F32"]["bits_per_weight"] == 32
    assert record["replaced"] == []
    assert record["file_bytes"] == path.stat().st_size
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record["total"]["tensors"] == sum(use["tensors"] for use in record["types"].values()) == 20
    bits = sum(use["elements"] * use["bits_per_weight"] for use in record["types"].values())
    assert record["bits_per_weight"] == pytest.approx(bits / record["total"]["elements"])
    assert 8.5 < record["bits_per_weight"] < 9.5


def test_silent_replacement_of_k_quants_is_visible(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "q4_k_m.gguf"
    write_quantised(tiny, path, "Q4_K_M")
    record = describe(path, file_type="Q4_K_M", requested_sparsity=None)
    assert "Q4_K" not in record["types"]
    replaced = record["replaced"]
    assert sum(item["tensors"] for item in replaced if item["family"].startswith("blk.*")) == 14
    gate = [item for item in replaced if item["family"] == "blk.*.ffn_gate.weight"]
    assert [item["reason"] for item in gate] == ["row width 64 is no multiple of the block of 256"]
    assert {item["requested"] for item in replaced} == {"Q4_K_M"}


def test_sparsity_is_measured_on_the_decoded_file(tiny: Path, tmp_path: Path) -> None:
    pruned = tmp_path / "pruned.gguf"
    write_pruned(tiny, pruned, magnitude_masks(tiny, 0.5))
    exact = describe(pruned, file_type="F16", requested_sparsity=0.5)
    assert exact["sparsity"]["overall"] == exact["sparsity"]["matrix_min"] == exact["sparsity"]["matrix_max"] == 0.5
    assert exact["sparsity"]["requested"] == 0.5
    assert exact["zstd_bytes"] < describe(tiny, file_type="F16", requested_sparsity=None)["zstd_bytes"]


def test_zeros_that_quantisation_makes_are_counted(tiny: Path, tmp_path: Path) -> None:
    pruned, quantised = tmp_path / "pruned.gguf", tmp_path / "pruned_q4_0.gguf"
    write_pruned(tiny, pruned, magnitude_masks(tiny, 0.03125))
    write_quantised(pruned, quantised, "Q4_0")
    rounded = describe(quantised, file_type="Q4_0", requested_sparsity=0.03125)["sparsity"]
    assert rounded["overall"] > 0.03125  # small weights round to zero as well
    name = "blk.0.ffn_up.weight"
    zeros = next(tensor for tensor in open_gguf(quantised).tensors if tensor.name == name)
    assert zeros.tensor_type == GGMLQuantizationType.Q4_0
    nibbles = np.asarray(zeros.data).reshape(-1, 18)[:, 2:]
    share = ((nibbles & 15 == 8).sum() + (nibbles >> 4 == 8).sum()) / (nibbles.size * 2)  # w = d (q - 8)
    assert rounded["matrix_min"] <= share <= rounded["matrix_max"]


@pytest.mark.parametrize(
    ("file_type", "expected"),
    [("Q4_K_M", "Q4_K"), ("Q3_K_S", "Q3_K"), ("Q8_0", "Q8_0"), ("Q6_K", "Q6_K"), ("IQ3_M", "IQ3_S"), ("F16", "F16")],
)
def test_base_type(file_type: str, expected: str) -> None:
    assert base_type(file_type) == GGMLQuantizationType[expected]


def test_every_file_type_has_a_base_type() -> None:
    unknown_to_gguf_py = {"Q2_0"}  # newer than gguf 0.19
    assert {name for name in known_types() if base_type(name) is None} <= unknown_to_gguf_py


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(InputError, match=r"'Q9_9' is no llama\.cpp file type"):
        check_type("Q9_9")


def test_a_type_that_needs_an_importance_matrix_is_refused(
    make_tiny: Callable[..., dict[str, np.ndarray]], tmp_path: Path
) -> None:
    make_tiny(tmp_path / "wide.gguf", width=256)  # narrower rows silently become another type
    with pytest.raises(InputError, match="importance matrix"):
        write_quantised(tmp_path / "wide.gguf", tmp_path / "iq1.gguf", "IQ1_S")

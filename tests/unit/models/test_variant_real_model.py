"""The default model itself; needs ``data/raw/models/smollm2-135m-instruct.gguf`` (the fetch stage makes it)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgebias.models.full import write_full
from edgebias.models.gguf import open_gguf, values
from edgebias.models.quantise import write_quantised
from edgebias.models.record import replaced, type_table

SOURCE = Path(__file__).parents[3] / "data" / "raw" / "models" / "smollm2-135m-instruct.gguf"

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not SOURCE.exists(), reason=f"{SOURCE.name} is not there; run `make data`"),
]


def test_full_and_k_quants_of_the_default_model(tmp_path: Path) -> None:
    full, quantised = tmp_path / "full.gguf", tmp_path / "q4_k_m.gguf"
    write_full(SOURCE, full, "<|endoftext|>")
    before = {tensor.name: tensor for tensor in open_gguf(SOURCE).tensors}
    after = open_gguf(full).tensors
    assert {name: use.tensors for name, use in type_table(after).items()} == {"F16": 211, "F32": 61}
    for tensor in after[::40]:
        expected = values(before[tensor.name]).astype(tensor.data.dtype)
        np.testing.assert_array_equal(tensor.data, expected)
    write_quantised(full, quantised, "Q4_K_M")
    causes = {item.reason for item in replaced(open_gguf(quantised).tensors, "Q4_K_M")}
    assert "row width 576 is no multiple of the block of 256" in causes

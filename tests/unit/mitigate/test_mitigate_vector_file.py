"""The exported control vector: llama.cpp's keys and names, and a faithful way back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader

from edgebias.core.errors import InputError
from edgebias.mitigate.steering.vector_file import read_control_vector, write_control_vector


def vector() -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    values[0] = 0.0
    return values


def test_a_written_vector_reads_back_bit_for_bit(tmp_path: Path) -> None:
    write_control_vector(vector(), tmp_path / "vector.gguf", "llama")
    np.testing.assert_array_equal(read_control_vector(tmp_path / "vector.gguf", 4, 8), vector())


def test_the_file_has_the_keys_and_tensors_that_llama_cpp_loads(tmp_path: Path) -> None:
    write_control_vector(vector(), tmp_path / "vector.gguf", "llama")
    reader = GGUFReader(tmp_path / "vector.gguf")
    keys = ("general.architecture", "controlvector.model_hint", "controlvector.layer_count")
    found = [field.contents() for key in keys if (field := reader.get_field(key)) is not None]
    assert found == ["controlvector", "llama", 3]
    assert [tensor.name for tensor in reader.tensors] == ["direction.1", "direction.2", "direction.3"]
    assert {tensor.tensor_type.name for tensor in reader.tensors} == {"F32"}


def test_block_zero_cannot_be_steered(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="block 0"):
        write_control_vector(np.ones((4, 8), dtype=np.float32), tmp_path / "vector.gguf", "llama")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(3, 8), (4, 16)])
def test_a_vector_of_another_model_is_refused(tmp_path: Path, shape: tuple[int, int]) -> None:
    write_control_vector(vector(), tmp_path / "vector.gguf", "llama")
    with pytest.raises(InputError, match="fit a vector for this model"):
        read_control_vector(tmp_path / "vector.gguf", *shape)


def test_absent_and_broken_files_are_one_line_faults(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_control_vector(tmp_path / "absent.gguf", 4, 8)
    (tmp_path / "broken.gguf").write_bytes(b"GGUF")
    with pytest.raises(InputError, match="GGUF"):
        read_control_vector(tmp_path / "broken.gguf", 4, 8)
